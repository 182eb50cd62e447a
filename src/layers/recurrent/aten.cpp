#include "facets/aten/row.h"
#include "h5bridge/error.h"

namespace h5bridge::recurrent {
namespace {

using aten::Call;
using aten::Given;
using aten::Names;
using aten::Row;

std::int64_t directions(const Call& call) {
  const Json* both = call.attribute("bidirectional");
  return both && *both == Json(true) ? 2 : 1;
}

bool has_biases(const Call& call) {
  const Json* biases = call.attribute("has_biases");
  return !biases || *biases == Json(true);
}

// "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", ..., "weight_ih_l0_reverse", ...: as modules number them.
std::vector<std::string> names_of_parameters(const Call& call) {
  const std::int64_t networks = call.integer("num_layers", 1) * directions(call);
  const auto count = static_cast<std::int64_t>(call.find("params")->tensors.size());
  const std::int64_t plain = has_biases(call) ? 4 : 2;
  if (networks < 1 || (count != networks * plain && count != networks * (plain + 1))) return {};
  std::vector<std::string> kinds{"weight_ih", "weight_hh"};
  if (has_biases(call)) kinds.insert(kinds.end(), {"bias_ih", "bias_hh"});
  if (count != networks * plain) kinds.push_back("weight_hr");
  std::vector<std::string> result;
  for (std::int64_t network = 0; network < networks; ++network)
    for (const std::string& kind : kinds)
      result.push_back(kind + "_l" + std::to_string(network / directions(call)) +
                       (network % directions(call) ? "_reverse" : ""));
  return result;
}

// A module that is given no state begins with zeros.
void drop_zero_states(Call& call) {
  const Given* states = call.find("hx");
  if (!states) return;
  for (const auto& state : states->tensors) {
    const aten::Operation* maker = state ? call.maker_of(*state) : nullptr;
    if (!maker || (maker->plain_name() != "zeros" && maker->plain_name() != "new_zeros")) return;
  }
  call.drop("hx");
}

void settle(Call& call) {
  drop_zero_states(call);
  if (const Json train = call.take("train"); train == Json(true) && call.integer("num_layers", 1) > 1)
    call.notes.push_back("was exported in training mode, and is read as in evaluation");
}

void as_module(Call& call, const std::string& type, std::int64_t gates) {
  const std::vector<std::string> names = names_of_parameters(call);
  if (names.empty()) throw Unsupported("takes another number of parameters than its layers have");
  const Names tensors = call.find("params")->tensors;
  call.operands.push_back({"first", {tensors.at(0)}, false});
  const Shape first = call.weight_shape("first");
  call.drop("first");
  const bool is_projected = names.back().starts_with("weight_hr");
  if (is_projected) {
    call.operands.push_back({"projection", {tensors.at(has_biases(call) ? 4 : 2)}, false});
    call.attributes.set("proj_size", call.weight_shape("projection").at(0));
    call.drop("projection");
  }
  call.attributes.set("bias", has_biases(call));
  call.take("has_biases");
  call.attributes.set("input_size", first.at(1));
  call.attributes.set("hidden_size", first.at(0) / gates);
  call.type = type;
}

Row layers(const std::string& name, const std::string& type, std::int64_t gates, Json::Object more = {}) {
  return {.operators = {name},
          .type = type,
          .adjust = settle,
          .parameters = {"params"},
          .as_module =
              [=](Call& call) {
                as_module(call, type, gates);
                for (const auto& [setting, value] : more) call.attributes.set(setting, value);
              },
          .listed = names_of_parameters};
}

void as_cell(Call& call, const std::string& type, std::int64_t gates) {
  const Shape weight = call.weight_shape("weight_ih");
  call.attributes.set("input_size", weight.at(1));
  call.attributes.set("hidden_size", weight.at(0) / gates);
  call.attributes.set("bias", call.has("bias_ih"));
  call.type = type;
}

Row cell(const std::string& name, const std::string& type, std::int64_t gates, Json::Object more = {}) {
  return {.operators = {name},
          .type = type,
          .renamed = {{"w_ih", "weight_ih"}, {"w_hh", "weight_hh"}, {"b_ih", "bias_ih"}, {"b_hh", "bias_hh"}},
          .adjust = drop_zero_states,
          .parameters = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"},
          .as_module = [=](Call& call) {
            as_cell(call, type, gates);
            for (const auto& [setting, value] : more) call.attributes.set(setting, value);
          }};
}

}  // namespace

std::vector<Row> aten_rows() {
  const Json::Object relu{{"nonlinearity", "relu"}};
  return {layers("lstm", "LSTM", 4),           layers("gru", "GRU", 3),
          layers("rnn_tanh", "RNN", 1),        layers("rnn_relu", "RNN", 1, relu),
          cell("lstm_cell", "LSTMCell", 4),    cell("gru_cell", "GRUCell", 3),
          cell("rnn_tanh_cell", "RNNCell", 1), cell("rnn_relu_cell", "RNNCell", 1, relu)};
}

}  // namespace h5bridge::recurrent
