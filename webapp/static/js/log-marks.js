/**
 * <ol data-found="disk full">: marks that text in the rows by `::highlight(found)`, without a change to their markup. As in
 * the search itself, upper and lower case are equal, and a change of colour within the text does not matter.
 */
function mark() {
  const list = document.querySelector('[data-found]');
  if (list?.dataset.found && CSS.highlights) CSS.highlights.set('found', new Highlight(...ranges(list)));
}

function* ranges(list) {
  const sought = lower(list.dataset.found);
  for (const element of list.querySelectorAll('.said')) {
    const nodes = texts(element);
    const text = lower(nodes.map(({ node }) => node.data).join(''));
    for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + sought.length)) {
      const range = new Range();
      range.setStart(...place(nodes, at));
      range.setEnd(...place(nodes, at + sought.length - 1, 1));
      yield range;
    }
  }
}

/** The text nodes of an element, each with its offset in the whole text. */
function texts(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const found = [];
  let start = 0;
  while (walker.nextNode()) {
    found.push({ node: walker.currentNode, start });
    start += walker.currentNode.length;
  }
  return found;
}

function place(nodes, at, further = 0) {
  const { node, start } = nodes.findLast(({ start }) => start <= at);
  return [node, at - start + further];
}

/** Lower case without a change of any offset. */
function lower(text) {
  const folded = text.toLowerCase();
  if (folded.length === text.length) return folded;
  return text.replace(/[^]/gu, (letter) => {
    const small = letter.toLowerCase();
    return small.length === letter.length ? small : letter;
  });
}

document.addEventListener('htmx:after:swap', mark);
mark();
