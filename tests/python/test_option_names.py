"""Messages of the library name its own options, and the program says them as it has them."""

import re

from program import ROOT

SRC = ROOT / "src"
LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"')
OPTION = re.compile(r"(?:LoadOptions|SaveOptions|Tolerance)::\w+(?: = false)?")


def literals():
    """(file, text) of what the library says; tables for the documentation are the program's."""
    for path in sorted(SRC.rglob("*.cpp")):
        file = path.relative_to(SRC).as_posix()
        if not file.startswith("cli/") and not file.endswith("_table.cpp"):
            for text in LITERAL.findall(path.read_text()):
                yield file, text


def test_no_message_of_the_library_names_an_option_of_the_program():
    assert [(file, text) for file, text in literals() if re.search(r"(?<![\w-])--[a-z]", text)] == []


def test_the_program_has_a_name_for_each_option_that_messages_name():
    named = {option for _, text in literals() for option in OPTION.findall(text)}
    known = dict(re.findall(r'\{"((?:LoadOptions|SaveOptions|Tolerance)::[^"]+)", "(--[a-z-]+)"\}', (SRC / "cli" / "option_names.cpp").read_text()))
    assert len(known) > 5 and named == set(known)
    header = (SRC / "h5bridge" / "h5bridge.h").read_text() + (SRC / "convert" / "tensor_agreement.h").read_text()
    for option in known:
        assert re.search(rf"\b{option.split('::')[1].split(' ')[0]}\b", header), option
