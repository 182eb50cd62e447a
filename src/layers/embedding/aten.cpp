#include <array>

#include "facets/aten/row.h"
#include "h5bridge/error.h"

namespace h5bridge::embedding {
namespace {

void as_embedding(aten::Call& call) {
  const Shape weight = call.weight_shape("weight");
  if (weight.size() != 2) throw Unsupported("its table has shape " + to_string(weight) + ", expected 2 axes");
  call.type = "Embedding";
  call.attributes.set("num_embeddings", weight[0]);
  call.attributes.set("embedding_dim", weight[1]);
}

// Of bags of one length PyTorch makes one row of indices, and offsets.
std::optional<aten::ModuleForm> bags(const aten::ModuleGroup& group) {
  const std::vector<const aten::Operation*> calls = group.all("embedding_bag");
  const bool are_all = group.operations().size() == calls.size() + group.all("arange").size() +
                                                        group.all("reshape").size() + group.all("view").size();
  if (calls.size() != 1 || !are_all) return {};
  const aten::Operation& call = *calls[0];
  const std::string* table = aten::tensor_of(call, "weight");
  const std::string* indices = aten::tensor_of(call, "indices");
  const std::string* offsets = aten::tensor_of(call, "offsets");
  const auto sizes = table && group.own_name(*table) == "weight" ? group.sizes(*table) : std::nullopt;
  if (!indices || !offsets || !sizes || sizes->size() != 2 || call.outputs.empty() || !call.outputs[0]) return {};
  constexpr std::array modes{"sum", "mean", "max"};
  const Json mode = aten::value_of(call, "mode");
  const std::int64_t number = mode.is_integer() ? mode.as_integer() : 0;
  if (number < 0 || number >= std::ssize(modes)) return {};
  Json::Object attributes{{"num_embeddings", sizes->at(0)},
                          {"embedding_dim", sizes->at(1)},
                          {"mode", modes[static_cast<std::size_t>(number)]}};
  for (const char* name : {"padding_idx", "include_last_offset", "scale_grad_by_freq", "sparse"})
    if (const Json value = aten::value_of(call, name); !value.is_null()) attributes.set(name, value);
  const auto whole = [&](const std::string& row) {
    const aten::Operation* maker = group.maker_of(row);
    const std::string* before = maker ? aten::tensor_of(*maker, "self") : nullptr;
    return before ? *before : row;
  };
  std::vector<aten::Given> operands{{"input", {whole(*indices)}, false}};
  const bool has_offsets = !group.maker_of(*offsets);
  if (has_offsets) operands.push_back({"offsets", {*offsets}, false});
  if (const std::string* weights = aten::tensor_of(call, "per_sample_weights"))
    operands.push_back(
        {has_offsets ? "per_sample_weights" : "offsets", {whole(*weights)}, false});  // as they come second
  return aten::ModuleForm{"EmbeddingBag", std::move(attributes), std::move(operands), {call.outputs[0]}};
}

}  // namespace

std::vector<aten::Row> aten_rows() {
  return {aten::whole_module("EmbeddingBag", bags),
          {.operators = {"embedding"},
           .type = "embedding",
           .nothing_at = {{"padding_idx", -1}},
           .parameters = {"weight"},
           .as_module = as_embedding}};
}

}  // namespace h5bridge::embedding
