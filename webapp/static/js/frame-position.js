/**
 * The position of a frame: {from, to, latest}. A frame begins with `<hx-frame data-from="1400" data-to="1423"
 * data-latest="1423"></hx-frame>`: the cursor that it builds on, the cursor after it, and the newest seq of the log.
 */
export function framePosition(text) {
  const attributes = /^\s*<hx-frame\b([^>]*)>/.exec(text)?.[1];
  if (!attributes) throw new Error('a frame without its position');
  const number = (name) => Number(new RegExp(`data-${name}="(\\d+)"`).exec(attributes)[1]);
  return { from: number('from'), to: number('to'), latest: number('latest') };
}
