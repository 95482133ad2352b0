/**
 * <ol data-found="disk full">: marks that text in the rows, by `::highlight(found)`, so that the rows stay as they are.
 * As in the search itself letters are the same in either case, and colours that change amid the text do not part it.
 */
function mark() {
  const list = document.querySelector('[data-found]');
  if (list?.dataset.found && CSS.highlights) CSS.highlights.set('found', new Highlight(...ranges(list)));
}

function* ranges(list) {
  const sought = lower(list.dataset.found);
  for (const said of list.querySelectorAll('.said')) {
    const nodes = texts(said);
    const text = lower(nodes.map(({ node }) => node.data).join(''));
    for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + sought.length)) {
      const range = new Range();
      range.setStart(...place(nodes, at));
      range.setEnd(...place(nodes, at + sought.length - 1, 1));
      yield range;
    }
  }
}

/** The texts below an element, each with where it begins in all of them. */
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

/** Lower case that leaves each letter at its place. */
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
