const model = JSON.parse(document.getElementById("model").textContent);
model.statistics = Object.assign(Object.create(null), model.statistics);
document.getElementById("title").textContent = document.title = model.name || "Model";
document.getElementById("summary").textContent = model.summary;

const panel = new Panel(model, document.getElementById("panel"), (box) => view.goTo(box));
const view = new View(model, document.getElementById("graph"), (what) => panel.show(what));
panel.show(null);

document.getElementById("legend").append(...legendOf(model).map(([colour, text]) => {
  const mark = element("i");
  mark.style.setProperty("--colour", "var(--" + colour + ")");
  return element("li", {}, mark, text);
}));

const on = (id, action) => document.getElementById(id).addEventListener("click", action);
on("fold", () => { view.setFolded(new Set(model.groups.map((_, index) => index).filter((index) => model.groups[index].parent === null))); view.fit(); });
on("unfold", () => { view.setFolded(new Set()); view.fit(); });
on("fit", () => view.whole());
on("closer", () => view.zoom(1.25));
on("farther", () => view.zoom(0.8));

const search = document.getElementById("search"), found = document.getElementById("found");
let chosen = 0, hits = [];
function showHits() {
  const wanted = search.value.trim().toLowerCase();
  hits = wanted === "" ? [] : model.boxes.map((box, i) => i).filter((i) => (model.boxes[i].name + " " + model.boxes[i].type).toLowerCase().includes(wanted)).slice(0, 100);
  chosen = 0;
  found.hidden = wanted === "";
  found.replaceChildren(...(hits.length ? hits.map((i) => {
    const line = element("li", {}, model.boxes[i].name, element("small", {}, model.boxes[i].type));
    line.addEventListener("click", () => { view.goTo(i); found.hidden = true; });
    return line;
  }) : [element("li", {}, "nothing is called so")]));
  mark();
}
function mark() { [...found.children].forEach((line, i) => line.classList.toggle("chosen", hits.length > 0 && i === chosen)); }
search.addEventListener("input", showHits);
search.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    chosen = Math.min(hits.length - 1, Math.max(0, chosen + (event.key === "ArrowDown" ? 1 : -1)));
    mark();
    found.children[chosen]?.scrollIntoView({block: "nearest"});
    event.preventDefault();
  }
  if (event.key === "Enter" && hits.length) view.goTo(hits[chosen]);
  if (event.key === "Escape" || event.key === "Enter") { found.hidden = true; search.blur(); }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) { search.focus(); search.select(); event.preventDefault(); }
});
