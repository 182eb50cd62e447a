"""The rows as a page of docs."""

TITLES = {
    "convert": "Conversion: the whole process, beside programs that do the same with each tensor and nothing else",
    "load": "Loading: from the start of a process to the end of its first prediction",
    "predict": "Prediction: `h5bridge::compile`, again and again, on as many cores as are said",
}


def digits(row):
    """The ratio, with as many digits as tell it from what it may be."""
    for places in range(2, 6):
        text = f"{row.ratio:.{places}f}"
        if row.most is None or (float(text) <= row.most) == row.holds():
            break
    return text


def _cell(row):
    limit = "" if row.most is None else f" ({'aim' if row.is_aim else 'at most'} {row.most:g})"
    return f"{row.to} {'' if row.holds() else '**'}{digits(row)}{'' if row.holds() else '**'}{limit}"


def of(report):
    """Markdown."""
    machine = report.as_json()["machine"]
    lines = ["# Benchmarks", "",
             "What one run of `tools/bench` found: medians of turns that the sides take with each other, as ratios of h5bridge's time to theirs. Below 1 it is",
             f"faster (beside itself at other work, as `.h5 to .h5`, it says how much longer that takes); bold is what is over its limit or its aim. On {machine['cores']} cores of {machine['processor']}, {machine['system']}; "
             f"the load of the machine when it ended was {machine['busy']:.1f}.", "",
             "![ratios](benchmarks.svg)", ""]  # fmt: skip
    for part, title in TITLES.items():
        rows = [row for row in report.rows if row.part == part]
        if not rows:
            continue
        lines += [f"## {title}", "", "| what | ms | ratios to |", "| --- | ---: | --- |"]
        for what in dict.fromkeys(row.what for row in rows):
            of_what = [row for row in rows if row.what == what]
            lines.append(f"| {what} | {of_what[0].ms:.1f} | {', '.join(map(_cell, of_what))} |")
        lines.append("")
    if report.memory:
        lines += ["## Memory: the largest anonymous memory of a conversion", "", "| what | MiB | at most |", "| --- | ---: | ---: |"]
        for peak in report.memory:
            mark = "" if peak.holds() else "**"
            lines.append(f"| {peak.what} | {mark}{peak.mib:.1f}{mark} | {peak.most:.0f} |")
        lines.append("")
    if report.notes:
        lines += ["## What was not measured", "", *[f"- {note}" for note in dict.fromkeys(report.notes)], ""]
    return "\n".join(lines)
