// Where boxes stand. Each unfolded group is laid out by itself, and is one large box to what surrounds it, so that frames
// never overlap. Within one: rows by how far they are from the beginning, each row in an order that crosses few arrows,
// each box as near to what it is joined with as the order lets it be.

const GAP_X = 28, GAP_Y = 42, GAP_PORT = 12, MARGIN = 10, TITLE = 22, BAR = 24;

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
        items.push({folded: group, group: model.groups[group].parent, count: 0, parameters: 0, members: []});
      }
      ofBox.push(ofGroup.get(group));
      const item = items[ofGroup.get(group)];
      item.count += 1;
      item.parameters += box.parameters;
      item.members.push(box);
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

// Rows of places; an arrow that passes a row has a place there, and those from one box share it. `fromX` and `toX` of an
// arrow: how far from the middles of its ends it begins and stops.
function rowsOf(units, arrows, ranks) {
  const places = units.map((unit, number) => ({unit, rank: ranks[number], width: unit.width, height: unit.height, up: [], down: []}));
  const passing = new Map();
  const join = (a, b, aX, bX) => { places[a].down.push([b, bX - aX]); places[b].up.push([a, aX - bX]); };
  for (const arrow of arrows) {
    arrow.way = [];
    const step = ranks[arrow.to] > ranks[arrow.from] ? 1 : -1;
    let last = arrow.from, lastX = arrow.fromX;
    for (let rank = ranks[arrow.from] + step; step * (ranks[arrow.to] - rank) > 0; rank += step) {
      const key = arrow.from + ":" + arrow.fromX + ":" + step + ":" + rank;
      let place = passing.get(key);
      if (place === undefined) {
        place = places.length;
        passing.set(key, place);
        places.push({unit: null, rank, width: 8, height: 0, up: [], down: []});
        step > 0 ? join(last, place, lastX, 0) : join(place, last, 0, lastX);
      }
      arrow.way.push(place);
      last = place;
      lastX = 0;
    }
    if (ranks[arrow.to] !== ranks[arrow.from]) step > 0 ? join(last, arrow.to, lastX, arrow.toX) : join(arrow.to, last, arrow.toX, lastX);
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
      const mean = others.reduce((sum, [other]) => sum + position[other], 0) / others.length;
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

function placeRows(places, rows) {
  for (const row of rows) spread(row, places, row.map(() => 0), row.map(() => 1));
  const pull = (row, side) => {
    const wanted = [], weight = [];
    for (const number of row) {
      const others = places[number][side];
      wanted.push(others.length ? others.reduce((sum, [other, shift]) => sum + places[other].x + shift, 0) / others.length : places[number].x);
      // What an arrow passes through stays straight before a box is in the middle.
      weight.push(others.length ? (places[number].unit === null ? 4 : 1) : 0.01);
    }
    spread(row, places, wanted, weight);
  };
  // The last way is downwards: what follows one box stands straight below it.
  for (let round = 0; round < 12; ++round) {
    for (let i = rows.length - 2; i >= 0; --i) pull(rows[i], "down");
    for (let i = 1; i < rows.length; ++i) pull(rows[i], "up");
  }
  let y = 0;
  const isOfPorts = (row) => row !== undefined && row.every((number) => places[number].unit?.isPort);
  rows.forEach((row, i) => {
    const height = Math.max(0, ...row.map((number) => places[number].height));
    for (const number of row) places[number].y = y + height / 2;
    y += height + (isOfPorts(row) || isOfPorts(rows[i + 1]) ? GAP_PORT : GAP_Y);
  });
}

// The groups that are open and have something in them, each with its units: items, and open groups in it.
function scopesOf(model, items, titleWidth) {
  const scopes = new Map();
  const scopeOf = (group) => {
    if (!scopes.has(group)) {
      const scope = {group, units: [], unitOf: new Map(), parent: null, leastWidth: group === null ? 0 : titleWidth(group)};
      scopes.set(group, scope);
      if (group !== null) {
        scope.parent = scopeOf(model.groups[group].parent);
        scope.unit = {scope};
        scope.parent.units.push(scope.unit);
      }
    }
    return scopes.get(group);
  };
  scopeOf(null);
  items.forEach((item, number) => {
    const scope = scopeOf(item.group), unit = {item};
    scope.units.push(unit);
    scope.unitOf.set(number, unit);
    // To what surrounds it the item is the group that it is in.
    for (let at = scope; at.parent !== null; at = at.parent) at.parent.unitOf.set(number, at.unit);
  });
  return scopes;
}

// Lays one scope out, what is in it first: its size, where its units stand in it, and the ways of arrows through it.
function layOutScope(scope, arrows) {
  for (const unit of scope.units) {
    if (unit.scope === undefined) { Object.assign(unit, {width: unit.item.width, height: unit.item.height}); continue; }
    layOutScope(unit.scope, arrows);
    Object.assign(unit, {width: unit.scope.width, height: unit.scope.height});
  }
  const numbers = new Map(scope.units.map((unit, number) => [unit, number])), local = new Map(), entries = new Map(), exits = new Map();
  const portX = (unit, ports, key) => unit.scope === undefined ? 0 : unit.scope[ports].get(key).x;
  const port = (ports, key) => { if (!ports.has(key)) ports.set(key, {isPort: true, width: 8, height: 0}); return ports.get(key); };
  for (const arrow of arrows) {
    const from = scope.unitOf.get(arrow.from), to = scope.unitOf.get(arrow.to);
    if (from === to) continue;  // beside the scope, or within one of its units
    const one = {from: from ?? port(entries, arrow.from), to: to ?? port(exits, arrow.from),
      fromX: from ? portX(from, "exits", arrow.from) : 0, toX: to ? portX(to, "entries", arrow.from) : 0};
    local.set(arrow, one);
  }
  const units = [...scope.units, ...entries.values(), ...exits.values()];
  units.forEach((unit, number) => numbers.set(unit, number));
  const joined = [...new Map([...local.values()].map((one) => {
    const ends = {from: numbers.get(one.from), to: numbers.get(one.to), fromX: one.fromX, toX: one.toX};
    return [ends.from + ":" + ends.to + ":" + ends.fromX + ":" + ends.toX, ends];
  })).values()];
  const inner = ranksOf(scope.units.length, joined.filter(({from, to}) => Math.max(from, to) < scope.units.length));
  const first = entries.size ? 1 : 0, last = Math.max(0, ...inner) + first + 1;
  const ranks = units.map((unit, number) => number < scope.units.length ? inner[number] + first : number < scope.units.length + entries.size ? 0 : last);
  const {places, rows} = rowsOf(units, joined, ranks);
  orderRows(places, rows);
  placeRows(places, rows);
  const edges = places.map((place) => [place.x - place.width / 2, place.y - place.height / 2, place.x + place.width / 2, place.y + place.height / 2]);
  const reduce = (pick, index) => edges.reduce((best, one) => pick(best, one[index]), edges.length ? edges[0][index] : 0);
  const left = reduce(Math.min, 0), right = reduce(Math.max, 2), bottom = reduce(Math.max, 3);
  const isFrame = scope.group !== null, above = isFrame ? TITLE : 0, around = isFrame ? MARGIN : 0;
  scope.width = Math.max(scope.leastWidth, right - left + 2 * around);
  scope.height = bottom + above + (exits.size ? 0 : around);
  // From the middle of its upper edge on.
  const middle = (left + right) / 2;
  const moved = (place) => [place.x - middle, place.y + above];
  places.forEach((place) => { if (place.unit !== null) [place.unit.x, place.unit.y] = moved(place); });
  const ways = new Map(joined.map((ends) => [ends.from + ":" + ends.to + ":" + ends.fromX + ":" + ends.toX, ends.way.map((number) => moved(places[number]))]));
  scope.ways = new Map([...local].map(([arrow, one]) =>
    [arrow, ways.get(numbers.get(one.from) + ":" + numbers.get(one.to) + ":" + one.fromX + ":" + one.toX)]));
  scope.entries = entries;
  scope.exits = exits;
}

// From places within scopes to places in the whole.
function settle(scope, x, y, frames) {
  Object.assign(scope, {x, y});
  if (scope.group !== null) frames.push({group: scope.group, left: x - scope.width / 2, right: x + scope.width / 2, top: y, bottom: y + scope.height});
  for (const unit of scope.units)
    if (unit.scope === undefined) Object.assign(unit.item, {x: x + unit.x, y: y + unit.y});
    else settle(unit.scope, x + unit.x, y + unit.y - unit.height / 2, frames);
}

// The whole way of an arrow: out of the groups that it leaves, past what stands between, into those that it enters.
function pointsOf(arrow, items, scopes) {
  const from = items[arrow.from], to = items[arrow.to];
  const chain = (item) => { const all = []; for (let at = scopes.get(item.group); at !== null; at = at.parent) all.push(at); return all; };
  const leaving = chain(from).filter((scope) => !scope.unitOf.has(arrow.to)), entering = chain(to).filter((scope) => !scope.unitOf.has(arrow.from)).reverse();
  const meeting = leaving.length ? leaving[leaving.length - 1].parent : scopes.get(from.group);
  const placed = (scope) => ([x, y]) => [scope.x + x, scope.y + y];
  const end = (scope, ports) => { const port = scope[ports].get(arrow.from); return placed(scope)([port.x, ports === "entries" ? 0 : scope.height]); };
  const points = [];
  for (const scope of leaving) points.push(...(scope.ways.get(arrow) ?? []).map(placed(scope)), end(scope, "exits"));
  points.push(...(meeting.ways.get(arrow) ?? []).map(placed(meeting)));
  for (const scope of entering) points.push(end(scope, "entries"), ...(scope.ways.get(arrow) ?? []).map(placed(scope)));
  const down = (points[0]?.[1] ?? to.y) >= from.y, downThere = to.y >= (points[points.length - 1]?.[1] ?? from.y);
  return [[from.x, from.y + (down ? from.height / 2 : -from.height / 2)], ...points, [to.x, to.y - (downThere ? to.height / 2 : -to.height / 2)]];
}

// `measure(item)` gives width and height, `titleWidth(group)` what the title of a frame takes.
function layOut(model, folded, measure, titleWidth) {
  const graph = visibleGraph(model, folded);
  for (const item of graph.items) Object.assign(item, measure(item));
  const scopes = scopesOf(model, graph.items, titleWidth), whole = scopes.get(null);
  layOutScope(whole, graph.arrows);
  graph.frames = [];
  settle(whole, 0, 0, graph.frames);
  for (const arrow of graph.arrows) {
    arrow.points = pointsOf(arrow, graph.items, scopes);
    const ys = arrow.points.map((point) => point[1]), xs = arrow.points.map((point) => point[0]);
    Object.assign(arrow, {left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys)});
  }
  graph.bounds = {left: -whole.width / 2, top: 0, right: whole.width / 2, bottom: whole.height};
  return graph;
}
