// The graph on its canvas: drawn whole at every change, without what lies outside, so that a thousand boxes move as one.

class View {
  constructor(model, canvas, onSelect) {
    this.model = model;
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.onSelect = onSelect;
    this.folded = new Set();
    this.scale = 1;
    this.offset = [0, 0];
    this.selected = null;  // {box} or {group}
    this.lookUpColours();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { this.lookUpColours(); this.draw(); });
    if (model.boxes.length > 150) model.groups.forEach((group, number) => { if (group.parent === null) this.folded.add(number); });
    this.listen();
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.layOut();
    this.resize();
    this.fit();
  }

  lookUpColours() {
    const style = getComputedStyle(document.documentElement);
    this.colour = (name) => style.getPropertyValue("--" + name).trim();
    this.colours = Object.fromEntries(["paper", "ink", "faint", "line", "panel", "arrow", "group", "accent", "input", "output", "weighted",
      "elementwise", "joining", "reshaping", "agrees", "differing-output", "differing-weights", "not-compared"].map((name) => [name, this.colour(name)]));
  }

  linesOf(item) {
    const isFolded = item.folded !== undefined, box = isFolded ? null : this.model.boxes[item.box];
    const lines = isFolded ? [this.model.groups[item.folded].name, item.count + (item.count === 1 ? " layer" : " layers")] : [box.name, ...box.shapes];
    const parameters = isFolded ? item.parameters : box.parameters;
    if (parameters) lines.push(parameters.toLocaleString("en") + " parameters");
    return lines.map((line) => line.length > 60 ? line.slice(0, 58) + "\u2026" : line);
  }

  headOf(item) { return item.folded !== undefined ? "\u25b8 group" : this.model.boxes[item.box].type; }

  titleOf(group) { return "\u25be " + this.model.groups[group].name; }

  headColour(item) {
    const {model, colours} = this;
    if (item.folded === undefined) return colours[colourOf(model, model.boxes[item.box])];
    return model.comparison === null ? colours.faint : colours[colourOfState(worstState(item.members))];
  }

  layOut() {
    const context = this.context;
    this.graph = layOut(this.model, this.folded, (item) => {
      item.lines = this.linesOf(item);
      context.font = "600 13px system-ui, sans-serif";
      let width = context.measureText(this.headOf(item)).width;
      context.font = "12px system-ui, sans-serif";
      for (const line of item.lines) width = Math.max(width, context.measureText(line).width);
      return {width: Math.max(84, width + 22), height: BAR + item.lines.length * 16 + 8};
    }, (group) => {
      context.font = "12px system-ui, sans-serif";
      return context.measureText(this.titleOf(group)).width + 18;
    });
  }

  resize() {
    const ratio = devicePixelRatio || 1, area = this.canvas.getBoundingClientRect();
    this.size = [area.width, area.height];
    this.canvas.width = Math.round(area.width * ratio);
    this.canvas.height = Math.round(area.height * ratio);
    this.paint();
  }

  fit() {
    const bounds = this.graph.bounds, [width, height] = this.size;
    const wanted = Math.min((width - 60) / (bounds.right - bounds.left || 1), (height - 60) / (bounds.bottom - bounds.top || 1), 1.2);
    // A tall graph is shown from its beginning, at a size that can be read.
    this.scale = Math.max(wanted, 0.8);
    const tall = wanted < this.scale;
    this.offset = [width / 2 - (bounds.left + bounds.right) / 2 * this.scale,
      tall ? 40 - bounds.top * this.scale : height / 2 - (bounds.top + bounds.bottom) / 2 * this.scale];
    this.draw();
  }

  whole() {
    const bounds = this.graph.bounds, [width, height] = this.size;
    this.scale = Math.max(0.01, Math.min((width - 40) / (bounds.right - bounds.left || 1), (height - 40) / (bounds.bottom - bounds.top || 1), 1.2));
    this.offset = [width / 2 - (bounds.left + bounds.right) / 2 * this.scale, height / 2 - (bounds.top + bounds.bottom) / 2 * this.scale];
    this.draw();
  }

  zoom(factor, x = this.size[0] / 2, y = this.size[1] / 2) {
    const scale = Math.min(4, Math.max(0.01, this.scale * factor));
    this.offset = [x - (x - this.offset[0]) * scale / this.scale, y - (y - this.offset[1]) * scale / this.scale];
    this.scale = scale;
    this.draw();
  }

  draw() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => { this.isWaiting = false; this.paint(); });
  }

  paint() {
    const {context, graph, scale, offset: [dx, dy], size: [width, height], colours} = this, ratio = devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = colours.paper;
    context.fillRect(0, 0, width, height);
    context.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * dx, ratio * dy);
    const left = -dx / scale, top = -dy / scale, right = (width - dx) / scale, bottom = (height - dy) / scale;
    const isSeen = (area) => area.left <= right && area.right >= left && area.top <= bottom && area.bottom >= top;
    for (const frame of graph.frames) if (isSeen(frame)) this.paintFrame(frame);
    context.lineWidth = 1.3;
    const seen = graph.arrows.filter(isSeen), isChosen = (arrow) => this.isSelected(graph.items[arrow.from]) || this.isSelected(graph.items[arrow.to]);
    this.paintArrows(seen.filter((arrow) => !isChosen(arrow)), colours.arrow);
    this.paintArrows(seen.filter(isChosen), colours.accent);
    for (const item of graph.items)
      if (isSeen({left: item.x - item.width / 2, right: item.x + item.width / 2, top: item.y - item.height / 2, bottom: item.y + item.height / 2}))
        this.paintItem(item);
  }

  paintFrame(frame) {
    const {context, colours, scale} = this;
    context.fillStyle = colours.group;
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.beginPath();
    context.roundRect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top, 10);
    context.fill();
    context.stroke();
    if (scale < 0.25) return;
    context.fillStyle = colours.faint;
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillText(this.titleOf(frame.group), frame.left + 8, frame.top + 4, frame.right - frame.left - 16);
  }

  // All of one colour at once, which is what takes time.
  paintArrows(arrows, colour) {
    const {context, scale} = this;
    context.strokeStyle = context.fillStyle = colour;
    context.beginPath();
    for (const {points} of arrows) {
      context.moveTo(...points[0]);
      for (let i = 1; i < points.length; ++i) {
        const [x0, y0] = points[i - 1], [x1, y1] = points[i], middle = (y0 + y1) / 2;
        if (x0 === x1 || scale < 0.1) context.lineTo(x1, y1);
        else context.bezierCurveTo(x0, middle, x1, middle, x1, y1);
      }
    }
    context.stroke();
    if (scale < 0.2) return;
    context.beginPath();
    for (const {points} of arrows) {
      const [x, y] = points[points.length - 1], step = points[points.length - 2][1] <= y ? -1 : 1;
      context.moveTo(x, y);
      context.lineTo(x - 4, y + step * 8);
      context.lineTo(x + 4, y + step * 8);
    }
    context.fill();
  }

  isSelected(item) {
    const chosen = this.selected;
    return chosen !== null && (item.folded !== undefined ? chosen.group === item.folded : chosen.box === item.box);
  }

  paintItem(item) {
    const {context, colours, scale} = this, left = item.x - item.width / 2, top = item.y - item.height / 2;
    const head = this.headColour(item);
    if (scale < 0.1 && !this.isSelected(item)) {  // a few pixels
      context.fillStyle = head;
      context.fillRect(left, top, item.width, item.height);
      return;
    }
    context.fillStyle = colours.panel;
    context.beginPath();
    context.roundRect(left, top, item.width, item.height, 6);
    context.fill();
    context.fillStyle = head;
    context.beginPath();
    context.roundRect(left, top, item.width, BAR, [6, 6, 0, 0]);
    context.fill();
    context.strokeStyle = this.isSelected(item) ? colours.accent : head;
    context.lineWidth = this.isSelected(item) ? 3 : 1;
    context.beginPath();
    context.roundRect(left, top, item.width, item.height, 6);
    context.stroke();
    context.lineWidth = 1.3;
    if (scale < 0.3) return;  // nobody could read it
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = "#ffffff";
    context.font = "600 13px system-ui, sans-serif";
    context.fillText(this.headOf(item), item.x, top + BAR / 2 + 1, item.width - 10);
    context.font = "12px system-ui, sans-serif";
    item.lines.forEach((line, i) => {
      context.fillStyle = i === 0 ? colours.ink : colours.faint;
      context.fillText(line, item.x, top + BAR + 13 + i * 16, item.width - 10);
    });
  }

  at(x, y) {
    const px = (x - this.offset[0]) / this.scale, py = (y - this.offset[1]) / this.scale;
    const item = this.graph.items.find((one) => Math.abs(px - one.x) <= one.width / 2 && Math.abs(py - one.y) <= one.height / 2);
    if (item) return item.folded !== undefined ? {group: item.folded, isFolded: true} : {box: item.box};
    const frame = [...this.graph.frames].reverse().find((one) => px >= one.left && px <= one.right && py >= one.top && py <= one.top + 20);
    return frame ? {group: frame.group, isFolded: false} : null;
  }

  // What is under the pointer, or in the middle, stays there.
  setFolded(folded, anchor = null) {
    const before = anchor === null ? null : this.placeOf(anchor);
    this.folded = folded;
    this.layOut();
    const after = anchor === null ? null : this.placeOf(anchor);
    if (before && after) this.offset = [this.offset[0] + (before[0] - after[0]) * this.scale, this.offset[1] + (before[1] - after[1]) * this.scale];
    this.draw();
  }

  placeOf(group) {
    const item = this.graph.items.find((one) => one.folded === group);
    if (item) return [item.x, item.y - item.height / 2];
    const frame = this.graph.frames.find((one) => one.group === group);
    return frame ? [(frame.left + frame.right) / 2, frame.top] : null;
  }

  toggle(group) {
    const folded = new Set(this.folded);
    if (!folded.delete(group)) folded.add(group);
    this.setFolded(folded, group);
  }

  select(what) {
    this.selected = what;
    this.onSelect(what);
    this.draw();
  }

  // Unfolds what hides the box, and brings it to the middle.
  goTo(box) {
    const folded = new Set(this.folded);
    for (let at = this.model.boxes[box].group; at !== null; at = this.model.groups[at].parent) folded.delete(at);
    if (folded.size !== this.folded.size) { this.folded = folded; this.layOut(); }
    const item = this.graph.items[this.graph.ofBox[box]];
    this.scale = Math.max(this.scale, 0.8);
    this.offset = [this.size[0] / 2 - item.x * this.scale, this.size[1] / 2 - item.y * this.scale];
    this.select({box});
  }

  listen() {
    const canvas = this.canvas, pointers = new Map();
    let moved = 0;
    const place = (event) => { const area = canvas.getBoundingClientRect(); return [event.clientX - area.left, event.clientY - area.top]; };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, place(event));
      moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const last = pointers.get(event.pointerId);
      if (!last) return;
      const now = place(event), step = [now[0] - last[0], now[1] - last[1]];
      moved += Math.abs(step[0]) + Math.abs(step[1]);
      if (moved > 4) canvas.classList.add("dragging");
      if (pointers.size === 2) {
        const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
        const distance = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
        this.zoom(distance(now) / distance(last), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      } else {
        this.offset = [this.offset[0] + step[0], this.offset[1] + step[1]];
        this.draw();
      }
      pointers.set(event.pointerId, now);
    });
    const leave = (event) => {
      if (!pointers.delete(event.pointerId)) return;
      canvas.classList.remove("dragging");
      if (event.type !== "pointerup" || moved > 4) return;
      const what = this.at(...place(event));
      if (what && what.group !== undefined) this.toggle(what.group);
      this.select(what);
    };
    canvas.addEventListener("pointerup", leave);
    canvas.addEventListener("pointercancel", leave);
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.ctrlKey || event.metaKey) return this.zoom(Math.exp(-event.deltaY * 0.01), ...place(event));
      if (event.shiftKey) { this.offset = [this.offset[0] - event.deltaY, this.offset[1] - event.deltaX]; return this.draw(); }
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0015)), ...place(event));
    }, {passive: false});
    canvas.addEventListener("keydown", (event) => {
      const step = {ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60]}[event.key];
      if (step) { this.offset = [this.offset[0] + step[0], this.offset[1] + step[1]]; this.draw(); event.preventDefault(); }
      if (event.key === "+" || event.key === "=") this.zoom(1.25);
      if (event.key === "-") this.zoom(0.8);
      if (event.key === "0") this.whole();
    });
  }
}
