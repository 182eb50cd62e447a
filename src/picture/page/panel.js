// What stands beside the graph: settings, shapes and tensors. Names are a stranger's: they are text here, and nothing else.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) name === "class" ? (made.className = value) : (made[name] = value);
  made.append(...children);
  return made;
}

const number = (value) => typeof value === "number" ? (Number.isInteger(value) ? value.toLocaleString("en") : String(+value.toPrecision(5))) : String(value);

function tableOf(rows) {
  return element("table", {}, ...rows.map(([name, value]) => element("tr", {}, element("td", {}, name), element("td", {}, value))));
}

// What a box, or a group with all that is in it, is coloured by: what it is, or what a comparison found.
const STATES = [["weights", "differing-weights", "weights differ"], ["output", "differing-output", "output differs, weights agree"],
  ["agrees", "agrees", "agrees"], [null, "not-compared", "not compared"]];
const KINDS = [["input", "input, output"], ["weighted", "with parameters"], ["elementwise", "keeps the shape"], ["joining", "takes several"], ["reshaping", "anything else"]];

const colourOfState = (state) => STATES.find(([name]) => name === state)[1];
const colourOf = (model, box) => model.comparison === null ? box.kind : colourOfState(box.state);

function worstState(boxes) {
  const found = new Set(boxes.map((box) => box.state));
  return STATES.find(([name]) => found.has(name))?.[0] ?? null;
}

function legendOf(model) {
  const isThere = (wanted) => model.boxes.some(wanted);
  if (model.comparison === null) return KINDS.filter(([kind]) => isThere((box) => box.kind === kind));
  return STATES.filter(([state]) => isThere((box) => box.state === state)).map(([, colour, text]) => [colour, text]);
}

// A line of what a comparison found.
function stateLine(state, text) {
  const line = element("p", {class: "state"}, text);
  line.style.setProperty("--colour", "var(--" + colourOfState(state) + ")");
  return line;
}

function section(title, ...children) { return [element("h3", {}, title), ...children]; }

function tensorCard(tensor, statistics) {
  const card = element("div", {class: "tensor"}, element("b", {}, tensor.name), element("div", {class: "numbers"},
    [tensor.shape, tensor.dtype, tensor.word].filter(Boolean).join(" \u00b7 ")));
  if (tensor.compared) card.append(stateLine(tensor.compared.agrees ? "agrees" : "weights", tensor.compared.text));
  const known = statistics[tensor.name];
  if (!known) return card;
  const most = Math.max(1, ...known.histogram);
  if (known.histogram.length) {
    card.append(element("div", {class: "bars", title: "how many elements lie where between the least and the most"},
      ...known.histogram.map((count) => { const bar = element("i"); bar.style.height = 100 * count / most + "%"; bar.title = number(count); return bar; })));
    card.append(element("div", {class: "ends"}, element("span", {}, number(known.least)), element("span", {}, number(known.most))));
  }
  const parts = [["norm", known.norm], ["mean", known.mean], ["deviation", known.deviation], ["zeros", known.zeros], ["NaN or infinite", known.not_finite]];
  card.append(element("div", {class: "numbers"}, parts.filter(([name, value]) => value !== null && (value !== 0 || name !== "NaN or infinite"))
    .map(([name, value]) => name + " " + number(value)).join(" \u00b7 ")));
  return card;
}

class Panel {
  constructor(model, place, goTo) { Object.assign(this, {model, place, goTo}); }

  show(what) {
    this.place.replaceChildren(...(what === null ? this.overview() : what.box !== undefined ? this.box(what.box) : this.group(what.group)));
    this.place.scrollTop = 0;
  }

  links(title, boxes) {
    if (!boxes.length) return [];
    return section(title, element("div", {class: "links"}, ...boxes.map(([box, label]) => {
      const link = element("a", {tabIndex: 0}, this.model.boxes[box].name + (label ? (label.startsWith("(") ? " " + label : " (" + label + ")") : ""));
      link.addEventListener("click", () => this.goTo(box));
      link.addEventListener("keydown", (event) => { if (event.key === "Enter") this.goTo(box); });
      return link;
    })));
  }

  overview() {
    const {model} = this;
    const counts = new Map();
    for (const box of model.boxes) if (box.kind !== "input" && box.kind !== "output") counts.set(box.type, (counts.get(box.type) || 0) + 1);
    const ports = (kind) => model.boxes.map((box, i) => [box, i]).filter(([box]) => box.kind === kind).map(([, i]) => [i, model.boxes[i].shapes.join(", ")]);
    return [element("h2", {}, model.name || "Model"), tableOf(model.facts), ...this.comparison(),
      ...this.links("Inputs", ports("input")), ...this.links("Outputs", ports("output")),
      ...section("Layers", tableOf([...counts].sort((a, b) => b[1] - a[1]).map(([type, count]) => [type, number(count)]))),
      ...(model.notes.length ? section("Notes", ...model.notes.map((note) => element("p", {class: "note"}, note))) : []),
      ...section("How to", element("p", {class: "note"}, "Drag to move, turn the wheel to zoom, click a box for what is in it and a group to fold or unfold it. / searches."))];
  }

  comparison() {
    const {model} = this, {comparison} = model;
    if (comparison === null) return [];
    const differing = (state) => model.boxes.map((box, i) => [box, i]).filter(([box]) => box.state === state).map(([box, i]) => [i, box.type]);
    const counts = STATES.map(([state, , text]) => [state, text, model.boxes.filter((box) => box.state === state && box.kind !== "input" && box.kind !== "output").length]).filter(([, , count]) => count);
    return [...section("Compared with", element("p", {class: "note"}, comparison.other), ...counts.map(([state, text, count]) => stateLine(state, text + ": " + number(count))),
      ...(comparison.has_outputs ? [] : [element("p", {class: "note"}, "Tensors alone are compared; inputs (--input, --random-inputs) compare outputs, too.")]),
      ...comparison.differences.map((line) => element("p", {class: "note"}, line))),
      ...this.links("Weights differ", differing("weights")), ...this.links("Output differs, weights agree", differing("output"))];
  }

  group(index) {
    const {model} = this, inside = (group) => { for (; group !== null; group = model.groups[group].parent) if (group === index) return true; return false; };
    const members = model.boxes.map((box, i) => [box, i]).filter(([box]) => inside(box.group));
    const parameters = members.reduce((sum, [box]) => sum + box.parameters, 0);
    return [element("h2", {}, model.groups[index].name), tableOf([["layers", number(members.length)], ["parameters", number(parameters)]]),
      ...this.links("In it", members.map(([box, i]) => [i, box.type]))];
  }

  box(index) {
    const {model} = this, box = model.boxes[index];
    const type = element("span", {class: "type"}, box.type);
    type.style.background = "var(--" + colourOf(model, box) + ")";
    const facts = [];
    if (box.layer) facts.push(["calls", box.layer]);
    for (const shape of box.torch) facts.push(["PyTorch", shape]);
    for (const shape of box.keras) facts.push(["Keras", shape]);
    if (box.parameters) facts.push(["parameters", number(box.parameters)]);
    const ends = (mine, other) => model.arrows.filter((arrow) => arrow[mine] === index).map((arrow) => [arrow[other], arrow.label]);
    const compared = box.compared ? [stateLine(box.compared.agrees ? "agrees" : "output", box.compared.text)] : [];
    return [element("h2", {}, box.name), type, ...section("Output", tableOf(facts), ...compared),
      ...(box.settings.length ? section("Settings", tableOf(box.settings)) : []),
      ...(box.tensors.length ? section("Tensors", ...box.tensors.map((tensor) => tensorCard(tensor, model.statistics))) : []),
      ...this.links("Takes", ends("to", "from")), ...this.links("Goes to", ends("from", "to"))];
  }
}
