#include "facets/torch_source/signature.h"

namespace h5bridge::creation {
namespace {

std::string options(const SourceCall& call, DType fallback) {
  const DType dtype = call.attributes().dtype("dtype");
  return (dtype == fallback ? "" : ", dtype=" + python_value(AttributeValue(dtype)).text) +
         ", device=" + call.place.device() + ")";
}

Python arange(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const auto size = [&](const char* name) { return call.place.size(a.sizes(name).at(0)).text; };
  const std::int64_t step = a.integer("step");
  const bool from_start = a.sizes("start").at(0) == Size(0) && step == 1;
  return "torch.arange(" + (from_start ? "" : size("start") + ", ") + size("end") +
         (step == 1 ? "" : ", " + std::to_string(step)) + options(call, DType::Int64);
}

Python filled(const SourceCall& call, const std::string& function, const std::string& number) {
  return "torch." + function + "(" + python_value(call, "size").text + number + options(call, DType::Float32);
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {torch_code("arange", arange),
          torch_code("zeros", [](const SourceCall& call) { return filled(call, "zeros", ""); }),
          torch_code("ones", [](const SourceCall& call) { return filled(call, "ones", ""); }),
          torch_code("full", [](const SourceCall& call) {
            // Of an integer, PyTorch would make integers.
            const AttributeValue& value = call.attributes().at("fill_value");
            const std::string type =
                std::holds_alternative<std::int64_t>(value) && call.attributes().dtype("dtype") == DType::Float32
                    ? ", dtype=torch.float32"
                    : "";
            return filled(call, "full", ", " + python_value(value).text + type);
          })};
}

}  // namespace h5bridge::creation
