/**
 * Finds the groups in consecutive rows of a log: those between markers in the output of a command, and the rows of a span.
 *
 * rows     [{ group, of, span, parent, event, failed }]: `group` is 'start', 'end' or 'section' for a marker, and an 'end'
 *          belongs to the nearest 'start' with the same `of`; a 'section' ends at the next one. `event` is set for rows
 *          that are no output of a command, to 'opens' for those that begin the span.
 * fromStart whether these are the first rows of the log
 *
 * Returns [{ header, members, span, failed, count }]: the index of the row that stands for the group, and those of the
 * others. Markers group the output of one span only, because spans run at the same time. A group whose beginning is not
 * among the rows has its end as the header. A group that never ends has all later output.
 */
const MAX_NESTING = 20;

export function groupsOf(rows, fromStart = false) {
  const parents = new Map();
  for (const { span, parent } of rows) if (span && parent) parents.set(span, parent);
  const lanes = new Map();
  const spans = new Map();
  const groups = [];

  function add(header, span = '') {
    const group = { header, members: [], span };
    groups.push(group);
    return group;
  }

  for (const [at, row] of rows.entries()) {
    for (const span of chain(row.span, parents)) spans.get(span)?.members.push(at);
    if (row.event === 'opens' && row.span && !spans.has(row.span)) spans.set(row.span, add(at, row.span));
    if (row.event !== undefined) continue;
    const lane = laneOf(row.span, lanes);
    const { open } = lane;
    if (row.group === 'section') while (open.at(-1)?.of === 'section') open.pop();
    const ended = row.group === 'end' ? open.findLastIndex(({ of }) => of === row.of) : -1;
    for (const { group } of open) group.members.push(at);
    if (ended >= 0) open.length = ended;
    else if (row.group === 'end' && !lane.began && !fromStart) add(at).members.push(...lane.rows);
    else if ((row.group === 'start' || row.group === 'section') && open.length < MAX_NESTING) {
      lane.began = true;
      open.push({ of: row.of ?? row.group, group: add(at) });
    }
    lane.rows.push(at);
  }
  for (const group of groups) {
    group.failed = group.members.some((at) => rows[at].failed);
    group.count = group.members.filter((at) => rows[at].group !== 'end').length;
  }
  return groups.filter(({ span, count }) => count > (span ? 1 : 0));
}

function laneOf(span, lanes) {
  if (!lanes.has(span)) lanes.set(span, { open: [], rows: [], began: false });
  return lanes.get(span);
}

/** A span and its ancestors, the nearest first. Spans in a log may be each other's ancestors. */
function chain(span, parents) {
  const found = new Set();
  for (let at = span; at && !found.has(at) && found.size < MAX_NESTING; at = parents.get(at)) found.add(at);
  return found;
}
