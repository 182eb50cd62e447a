#include "runner/torchscript.h"

#include <memory>

#include "runner/library.h"

namespace h5bridge {

aten::ScriptGraph script_graph(const std::string& path) {
  using Entry = aten::ScriptGraph* (*)(const std::string&);
  static const Entry entry = reinterpret_cast<Entry>(torch_function_named("h5bridge_script_graph"));
  const std::unique_ptr<aten::ScriptGraph> graph(entry(path));
  return std::move(*graph);
}

}  // namespace h5bridge
