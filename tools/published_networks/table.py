"""docs/published_networks.md: the rows, which are read from it again, and what they add up to."""

import re
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "docs" / "published_networks.md"

HEAD = """# Published networks

What `python tools/published_networks` found: each network is exported by torch.export with random weights and statistics, its
batch open ("2": with a batch of 2), `.pt2` becomes `.h5`, which real Keras loads and computes (the largest difference from PyTorch,
in units of the largest value; at most 1e-4), LibTorch computes it with `--exact` (bit for bit, or the largest difference), and the
`.h5` goes home to a `.pth`, bit for bit. "moves": Keras's nodes that move axes. What torch.export itself refuses is no network here.
"""

COLUMNS = ("network", "result", "batch", "Keras", "LibTorch", "home", "moves", "seconds", "message")


def _cells(name, row):
    libtorch = "" if "bits" not in row else "bits" if row["bits"] else f"{row['libtorch']:.1e}"
    return (
        name, row["result"], "" if "open" not in row else "open" if row["open"] else "2", "" if "keras" not in row else f"{row['keras']:.1e}", libtorch,
        "" if "home" not in row else "bits" if row["home"] else "differs", str(row.get("moves", "")), str(row.get("seconds", "")), row.get("message", "").replace("|", "\\\\|"),
    )  # fmt: skip


def _row(cells):
    _, result, batch, keras, libtorch, home, moves, seconds, message = cells
    row = {"result": result}
    if batch:
        row["open"] = batch == "open"
    if keras:
        row["keras"] = float(keras)
    if libtorch:
        row |= {"bits": libtorch == "bits"} | ({} if libtorch == "bits" else {"libtorch": float(libtorch)})
    if home:
        row["home"] = home == "bits"
    if moves:
        row["moves"] = int(moves)
    if seconds:
        row["seconds"] = float(seconds)
    if message:
        row["message"] = message.replace("\\\\|", "|")
    return row


def read():
    """The rows by network."""
    if not FILE.exists():
        return {}
    lines = [line for line in FILE.read_text().splitlines() if re.match(r"\| \w+/", line)]
    parts = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {cells[0]: _row(cells) for cells in parts}


def write(rows):
    exported = {name: row for name, row in rows.items() if row["result"] not in ("export", "timeout")}
    passed = sum(row["result"] == "passes" for row in exported.values())
    lines = [HEAD, f"{passed} of {len(exported)} that torch.export takes pass; it refuses {sum(row['result'] == 'export' for row in rows.values())}.", ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(_cells(name, row)) + " |" for name, row in sorted(rows.items())]
    FILE.write_text("\n".join(lines) + "\n")
