// Where boxes stand: in rows by how far they are from the inputs, each row in an order that crosses few arrows, each
// box as near to what it is joined with as the order lets it be.

const GAP_X = 28, GAP_Y = 42, MARGIN = 8, TITLE = 22, BAR = 24;

// What is seen: boxes, and folded groups in place of what is in them.
function visibleGraph(model, folded) {
  const outermostFolded = (group) => {
    let found = null;
    for (let at = group; at !== null; at = model.groups[at].parent) if (folded.has(at)) found = at;
    return found;
  };
  const items = [], ofBox = [], ofGroup = new Map();
  model.boxes.forEach((box, number) => {
    const group = outermostFolded(box.group);
    if (group === null) {
      ofBox.push(items.length);
      items.push({box: number, group: box.group});
    } else {
      if (!ofGroup.has(group)) {
        ofGroup.set(group, items.length);
        items.push({folded: group, group: model.groups[group].parent, count: 0, parameters: 0});
      }
      ofBox.push(ofGroup.get(group));
      items[ofGroup.get(group)].count += 1;
      items[ofGroup.get(group)].parameters += box.parameters;
    }
  });
  const seen = new Set(), arrows = [];
  for (const arrow of model.arrows) {
    const from = ofBox[arrow.from], to = ofBox[arrow.to];
    const key = from * items.length + to;
    if (from === to || seen.has(key)) continue;
    seen.add(key);
    arrows.push({from, to, label: arrow.label});
  }
  return {items, arrows, ofBox};
}

// Folding may close a circle: an arrow that leads back to what stood before counts for nothing here.
function ranksOf(count, arrows) {
  const ranks = new Array(count).fill(0), onward = arrows.filter((arrow) => arrow.from < arrow.to);
  const into = Array.from({length: count}, () => []), out = Array.from({length: count}, () => []);
  for (const arrow of onward) { into[arrow.to].push(arrow.from); out[arrow.from].push(arrow.to); }
  for (let i = 0; i < count; ++i) for (const from of into[i]) ranks[i] = Math.max(ranks[i], ranks[from] + 1);
  // What takes nothing (an input, a constant) stands right above what takes it.
  for (let i = 0; i < count; ++i)
    if (into[i].length === 0 && out[i].length > 0) ranks[i] = Math.min(...out[i].map((to) => ranks[to])) - 1;
  const least = Math.min(0, ...ranks);
  return ranks.map((rank) => rank - least);
}

// Rows of places; an arrow that passes a row has a place there, and those from one box share it.
function rowsOf(items, arrows, ranks) {
  const places = items.map((item, number) => ({item: number, rank: ranks[number], width: item.width, height: item.height, up: [], down: []}));
  const passing = new Map();
  const join = (a, b) => { places[a].down.push(b); places[b].up.push(a); };
  for (const arrow of arrows) {
    arrow.way = [arrow.from];
    const step = ranks[arrow.to] > ranks[arrow.from] ? 1 : -1;
    let last = arrow.from;
    for (let rank = ranks[arrow.from] + step; step * (ranks[arrow.to] - rank) > 0; rank += step) {
      const key = arrow.from + ":" + step + ":" + rank;
      let place = passing.get(key);
      if (place === undefined) {
        place = places.length;
        passing.set(key, place);
        places.push({item: null, rank, width: 8, height: 0, up: [], down: []});
        step > 0 ? join(last, place) : join(place, last);
      }
      arrow.way.push(place);
      last = place;
    }
    if (ranks[arrow.to] !== ranks[arrow.from]) step > 0 ? join(last, arrow.to) : join(arrow.to, last);
    arrow.way.push(arrow.to);
  }
  const rows = [];
  places.forEach((place, number) => (rows[place.rank] = rows[place.rank] || []).push(number));
  return {places, rows: Array.from(rows, (row) => row || [])};
}

function orderRows(places, rows) {
  const position = new Array(places.length);
  const settle = (row) => row.forEach((number, i) => (position[number] = i));
  rows.forEach(settle);
  const sweep = (row, side) => {
    const weight = new Map(row.map((number) => {
      const others = places[number][side];
      const mean = others.reduce((sum, other) => sum + position[other], 0) / others.length;
      return [number, others.length ? mean : position[number]];
    }));
    row.sort((a, b) => weight.get(a) - weight.get(b) || position[a] - position[b]);
    settle(row);
  };
  for (let round = 0; round < 6; ++round) {
    for (let i = 1; i < rows.length; ++i) sweep(rows[i], "up");
    for (let i = rows.length - 2; i >= 0; --i) sweep(rows[i], "down");
  }
}

// The nearest to what each wants, in weighted least squares, that keeps order and distance: neighbours that collide are
// pooled (isotonic regression).
function spread(row, places, wanted, weight) {
  const pools = [];
  let offset = 0;
  row.forEach((number, i) => {
    if (i > 0) offset += (places[row[i - 1]].width + places[number].width) / 2 + GAP_X;
    let pool = {sum: (wanted[i] - offset) * weight[i], weight: weight[i], members: [[number, offset]]};
    while (pools.length && pools[pools.length - 1].sum / pools[pools.length - 1].weight > pool.sum / pool.weight) {
      const before = pools.pop();
      pool = {sum: before.sum + pool.sum, weight: before.weight + pool.weight, members: before.members.concat(pool.members)};
    }
    pools.push(pool);
  });
  for (const pool of pools) for (const [number, shift] of pool.members) places[number].x = pool.sum / pool.weight + shift;
}

// `room`: what each row has to leave free above it, for the titles of frames that begin there.
function placeRows(places, rows, room) {
  for (const row of rows) spread(row, places, row.map(() => 0), row.map(() => 1));
  const pull = (row, side) => {
    const wanted = [], weight = [];
    for (const number of row) {
      const others = places[number][side];
      wanted.push(others.length ? others.reduce((sum, other) => sum + places[other].x, 0) / others.length : places[number].x);
      // What an arrow passes through stays straight before a box is in the middle.
      weight.push(others.length ? (places[number].item === null ? 4 : 1) : 0.01);
    }
    spread(row, places, wanted, weight);
  };
  // The last way is downwards: what follows one box stands straight below it.
  for (let round = 0; round < 12; ++round) {
    for (let i = rows.length - 2; i >= 0; --i) pull(rows[i], "down");
    for (let i = 1; i < rows.length; ++i) pull(rows[i], "up");
  }
  let y = 0;
  for (const [i, row] of rows.entries()) {
    y += room[i];
    const height = Math.max(0, ...row.map((number) => places[number].height));
    for (const number of row) places[number].y = y + height / 2;
    y += height + GAP_Y;
  }
}

// How many frames begin in each row, one in the other, and the room that their titles take.
function roomAbove(model, items, ranks, rows) {
  const first = new Map();
  items.forEach((item, number) => {
    for (let at = item.group; at !== null; at = model.groups[at].parent) first.set(at, Math.min(first.get(at) ?? Infinity, ranks[number]));
  });
  const begun = (group, rank) => { let count = 0; for (let at = group; at !== null; at = model.groups[at].parent) count += first.get(at) === rank; return count; };
  const room = rows.map(() => 0);
  items.forEach((item, number) => (room[ranks[number]] = Math.max(room[ranks[number]], begun(item.group, ranks[number]) * TITLE)));
  return room;
}

// The frames of unfolded groups, outer ones first, around what is in them.
function framesOf(model, items) {
  const frames = new Map();
  const grow = (group, left, top, right, bottom) => {
    for (let at = group; at !== null; at = model.groups[at].parent) {
      const frame = frames.get(at) || {group: at, left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity};
      frame.left = Math.min(frame.left, left); frame.top = Math.min(frame.top, top);
      frame.right = Math.max(frame.right, right); frame.bottom = Math.max(frame.bottom, bottom);
      frames.set(at, frame);
    }
  };
  for (const item of items)
    grow(item.group, item.x - item.width / 2, item.y - item.height / 2, item.x + item.width / 2, item.y + item.height / 2);
  const inside = (group) => Math.max(0, ...[...frames.keys()].filter((other) => model.groups[other].parent === group).map((other) => inside(other) + 1));
  const result = [...frames.values()];
  for (const frame of result) {
    const depth = inside(frame.group), margin = MARGIN * (depth + 1);
    frame.left -= margin; frame.right += margin; frame.bottom += margin;
    frame.top -= TITLE * (depth + 1);
  }
  return result.sort((a, b) => a.group - b.group);
}

// `measure(item)` gives width and height.
function layOut(model, folded, measure) {
  const graph = visibleGraph(model, folded);
  for (const item of graph.items) Object.assign(item, measure(item));
  const ranks = ranksOf(graph.items.length, graph.arrows);
  const {places, rows} = rowsOf(graph.items, graph.arrows, ranks);
  orderRows(places, rows);
  placeRows(places, rows, roomAbove(model, graph.items, ranks, rows));
  places.forEach((place) => { if (place.item !== null) Object.assign(graph.items[place.item], {x: place.x, y: place.y}); });
  for (const arrow of graph.arrows) {
    const from = graph.items[arrow.from], to = graph.items[arrow.to], down = to.y >= from.y;
    arrow.points = arrow.way.map((number) => [places[number].x, places[number].y]);
    arrow.points[0] = [from.x, from.y + (down ? from.height / 2 : -from.height / 2)];
    arrow.points[arrow.points.length - 1] = [to.x, to.y - (down ? to.height / 2 : -to.height / 2)];
    const ys = arrow.points.map((point) => point[1]), xs = arrow.points.map((point) => point[0]);
    Object.assign(arrow, {left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys)});
  }
  graph.frames = framesOf(model, graph.items);
  const all = [...graph.items.map((item) => [item.x - item.width / 2, item.y - item.height / 2, item.x + item.width / 2, item.y + item.height / 2]),
    ...graph.frames.map((frame) => [frame.left, frame.top, frame.right, frame.bottom])];
  const reduce = (pick, index) => all.reduce((best, edges) => pick(best, edges[index]), all.length ? all[0][index] : 0);
  graph.bounds = {left: reduce(Math.min, 0), top: reduce(Math.min, 1), right: reduce(Math.max, 2), bottom: reduce(Math.max, 3)};
  return graph;
}
