/**
 * <ol data-found="disk full">: marks that text in the rows, by `::highlight(found)`, so that the rows stay as they are.
 * Only ASCII letters are the same in either case, as in the search itself.
 */
function mark() {
  const list = document.querySelector('[data-found]');
  if (list?.dataset.found && CSS.highlights) CSS.highlights.set('found', new Highlight(...ranges(list)));
}

function* ranges(list) {
  const sought = lower(list.dataset.found);
  const texts = document.createTreeWalker(list, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    if (!node.parentElement.closest('.said')) continue;
    const text = lower(node.data);
    for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + sought.length)) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, at + sought.length);
      yield range;
    }
  }
}

function lower(text) {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

document.addEventListener('htmx:after:swap', mark);
mark();
