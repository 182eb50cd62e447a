#include "facets/torch_source/signature.h"

namespace h5bridge::joining {
namespace {

// One length is that of all parts.
Python split(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const std::vector<std::int64_t>& lengths = a.integers("split_size");
  std::vector<std::string> texts;
  for (const std::int64_t length : lengths) texts.push_back(std::to_string(length));
  const std::string dim = a.integer("dim") == 0 ? "" : ", dim=" + std::to_string(a.integer("dim"));
  return call.input().receiver() + ".split(" + (texts.size() == 1 ? texts[0] : python_list(texts)) + dim + ")";
}

TorchSource tensor_split(const std::string& what, const std::string& other) {
  return torch_code(
      "tensor_split",
      [what, other](const Layer& layer) {
        return layer.attributes.is_none(what) || !layer.attributes.is_none(other) ? other : std::string();
      },
      [what](const SourceCall& call) { return call_of("torch.tensor_split(input, " + what + ", dim)", call); });
}

// A single part is in a tuple, too.
TorchSource parts(TorchSource source) {
  source.call = [all = std::move(source.call)](const SourceCall& call) -> Python {
    Python made = all(call);
    return call.outputs.size() == 1 ? Python(made.receiver() + "[0]") : made;
  };
  return source;
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {torch_function("torch.cat(tensors, *, dim)"),
          torch_function("torch.stack(tensors, *, dim)"),
          parts(torch_code("split", split)),
          parts(torch_function("input.chunk(chunks, *, dim)")),
          parts(tensor_split("sections", "indices")),
          parts(tensor_split("indices", "sections")),
          parts(torch_function("input.unbind(dim)"))};
}

}  // namespace h5bridge::joining
