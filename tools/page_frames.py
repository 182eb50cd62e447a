#!/usr/bin/env python3
"""How smoothly a page of h5bridge's moves: .venv/bin/python tools/page_frames.py [BOXES]

Writes the page of a network of so many boxes (1000), has a headless Chromium move it about, all of it in sight and near
by, and prints how long it took to draw each frame. Needs `chromium` or `chromium-headless-shell`.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
MOVE = """<script>
view.setFolded(new Set());
const took = {};
for (const [name, scale] of [["all of it", 0], ["near by", 0.8]]) {
  view.whole();
  view.scale = scale || view.scale;
  const times = [];
  for (let i = 0; i < 240; ++i) {
    const begin = performance.now();
    view.offset = [view.offset[0] + 5 * Math.sin(i / 9), view.offset[1] - 12 * Math.cos(i / 31)];
    view.paint();
    view.context.getImageData(0, 0, 1, 1);  // waits until it is drawn
    times.push(performance.now() - begin);
  }
  took[name] = times.slice(5).sort((a, b) => a - b);
}
document.title = "done " + JSON.stringify(took);
</script></body>"""


def network(boxes):
    """Residual blocks: six boxes each."""
    layers, last = [], "x"
    for block in range(boxes // 6):
        first = last
        for kind in ("conv1", "bn1", "relu1", "conv2", "bn2"):
            name = f"stage{block // 20}.{block % 20}.{kind}"
            if kind.startswith("conv"):
                layers.append({"name": name, "type": "Conv2d", "inputs": [last], "attributes": {"in_channels": 8, "out_channels": 8, "kernel_size": 3, "padding": 1}})
            elif kind.startswith("bn"):
                layers.append({"name": name, "type": "BatchNorm2d", "inputs": [last], "attributes": {"num_features": 8}})
            else:
                layers.append({"name": name, "type": "ReLU", "inputs": [last]})
            last = name
        layers.append({"name": f"add_{block}", "type": "add", "inputs": [last, first]})
        last = f"add_{block}"
    return {"h5bridge": 1, "name": "Blocks", "inputs": [{"name": "x", "shape": ["batch", 8, 32, 32]}], "layers": layers, "outputs": [last]}


def main():
    boxes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"page_frames: none of {', '.join(BROWSERS)} is installed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.json").write_text(json.dumps(network(boxes)))
        subprocess.run([ROOT / "build" / "h5bridge", "convert", "--quiet", folder / "model.json", "-o", folder / "model.html"], check=True)
        (folder / "moving.html").write_text((folder / "model.html").read_text().replace("</body>", MOVE))
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000", "--dump-dom"]
        shown = subprocess.run([*command, (folder / "moving.html").as_uri()], capture_output=True, text=True, timeout=120).stdout
    done = re.search(r"<title>done (.*?)</title>", shown, re.S)
    if not done:
        sys.exit("page_frames: the browser did not come to the end")
    for what, times in json.loads(done.group(1).replace("&quot;", '"')).items():
        print(f"{boxes} boxes, {what}: half of {len(times)} frames under {times[len(times) // 2]:.1f} ms, 95 % under {times[len(times) * 95 // 100]:.1f} ms")


if __name__ == "__main__":
    main()
