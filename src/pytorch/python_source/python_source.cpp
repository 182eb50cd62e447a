#include "pytorch/python_source/python_source.h"

#include "pytorch/python_source/classes.h"
#include "pytorch/python_source/format.h"

namespace h5bridge {
namespace {

using namespace torch_source;

class Text {
 public:
  void line(const std::string& line) { text_ += line + "\n"; }
  void statement(const std::string& statement, std::size_t indentation) {
    const std::size_t margin = statement.find_first_not_of(' ');  // of a block
    for (const std::string& laid : laid_out(statement.substr(margin), indentation + margin)) line(laid);
  }
  std::string take() { return std::move(text_); }
  bool mentions(std::string_view word) const { return text_.find(word) != std::string::npos; }
  void prepend(const std::string& text) { text_ = text + text_; }

 private:
  std::string text_;
};

void write_method(Text& out, const std::string& name, std::vector<std::string> parameters) {
  parameters.insert(parameters.begin(), "self");
  out.statement("def " + name + "(" + joined(parameters) + "):", 4);
}

void write_class(Text& out, const SourceClass& written) {
  out.line("class " + written.name + "(" + written.base + "):");
  out.line("    \"\"\"" + written.docstring + "\"\"\"");
  out.line("");
  if (written.members.size() > 1 || written.base != "nn.Module") {
    write_method(out, "__init__", written.parameters);
    for (const std::string& member : written.members) out.statement(member, 8);
    if (!written.forward.statements.empty()) out.line("");
  }
  if (written.forward.statements.empty()) return;
  write_method(out, "forward", written.forward.parameters);
  for (const std::string& statement : written.forward.statements) out.statement(statement, 8);
}

// What calls each other's modules in ways that no class has stays with those who hold them.
std::string written(ModuleTree& tree, const Model& model) {
  Calls calls(tree);
  for (;;) {
    Helpers helpers;
    try {
      // Once to see which helpers there are, whose names nothing else may have then.
      classes_of(tree, calls, model, helpers);
      const std::vector<SourceClass> classes = classes_of(tree, calls, model, helpers);
      Text out;
      for (const PythonHelper* helper : helpers.all()) {
        out.line(helper->source);
        out.line("\n");
      }
      for (const SourceClass& each : classes) {
        write_class(out, each);
        if (&each != &classes.back()) out.line("\n");
      }
      const std::string functional = out.mentions("F.") ? "import torch.nn.functional as F\n" : "";
      const std::string torch = out.mentions("torch.") ? "import torch\n" : "";
      const std::string math = out.mentions("math.") ? "import math\n\n" : "";
      out.prepend(math + torch + functional + "from torch import nn\n\n\n");
      return out.take();
    } catch (const SizeOutOfReach& unknown) {
      if (!unknown.module->parent)
        throw Unsupported("its size " + unknown.size + " does not follow from the network's inputs");
      calls.dissolve(*unknown.module);
    }
  }
}

}  // namespace

std::string python_source(const Model& model) {
  if (!model.architecture) throw UsageError("needs an architecture, and the sources have none");
  ModuleTree tree(model);
  return written(tree, model);
}

}  // namespace h5bridge
