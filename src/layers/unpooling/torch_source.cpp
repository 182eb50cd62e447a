#include "facets/torch_source/signature.h"

namespace h5bridge::unpooling {
namespace {

// The sizes that come out may be open, and are the call's.
TorchSource module(const std::string& name) {
  TorchSource result = torch_module("nn." + name + "(kernel_size, stride, *, padding)");
  result.misfit = [](const Layer&) { return std::string(); };
  result.call = [](const SourceCall& call) -> Python {
    const Attributes& a = call.attributes();
    if (a.text("data_format") != "channels_first") throw Unsupported("with channels last it has no Python source");
    std::string size;
    if (!a.is_none("output_size")) {
      const SymbolicShape& sizes = a.sizes("output_size");
      std::vector<std::string> spatial;
      for (std::size_t i = sizes.size() - a.integers("kernel_size").size(); i < sizes.size(); ++i)
        spatial.push_back(call.place.size(sizes[i]).text);
      size = ", output_size=" + python_tuple(spatial);
    }
    return call.self + "(" + call.input(0).text + ", " + call.input(1).text + size + ")";
  };
  result.calls_module_plainly = false;
  return result;
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {module("MaxUnpool1d"), module("MaxUnpool2d"), module("MaxUnpool3d")};
}

}  // namespace h5bridge::unpooling
