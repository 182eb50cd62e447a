#include "layers/recurrent/recurrent_emitter.h"

#include <algorithm>

#include "facets/keras/composition.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "layers/recurrent/keras_cells.h"
#include "layers/recurrent/keras_projection.h"
#include "model/keras_origin.h"

namespace h5bridge::recurrent {
namespace {

using Argument = KerasEmitter::Argument;
using Handle = KerasEmitter::Handle;

const KerasMapping& mapping_of(const Kind& kind, const std::string& class_name) {
  const auto mappings = Registry::instance().keras_of(kind.type);
  return **std::ranges::find(mappings, class_name, &KerasMapping::class_name);
}

}  // namespace

std::string keras_part(std::int64_t layer) { return layer == 0 ? "" : "l" + std::to_string(layer); }

RecurrentEmitter::RecurrentEmitter(const Kind& kind, const std::string& inner_class, const Attributes& attributes,
                                   Json::Object config, KerasEmitter& emitter)
    : kind_(kind),
      inner_(mapping_of(kind, inner_class)),
      layers_at_once_(inner_class == kRnn ? attributes.integer("num_layers") : 1),
      attributes_(attributes),
      config_(std::move(config)),
      emitter_(emitter),
      needs_states_(attributes.boolean("return_state")) {
  for (std::size_t i = sequences(); i < emitter.output_shapes().size(); ++i)
    needs_states_ = needs_states_ || emitter.is_used(i);
  const bool is_bidirectional = directions(attributes) == 2 && !is_projected(attributes);
  if (!emitter.named_inputs().empty() && is_bidirectional &&
      attributes.boolean("zero_output_for_mask") != attributes.boolean("return_sequences"))
    throw Unsupported(
        "Keras's Bidirectional makes the outputs of masked steps zeros where it returns sequences "
        "(zero_output_for_mask), and nowhere else");
  if (attributes.boolean("training") && is_projected(attributes))
    throw Unsupported("is called with training=true, which layers of Keras's that project its state cannot be told");
  if (attributes.boolean("separate_directions") && attributes.integer("num_layers") > 1 && inner_class != kRnn)
    throw Unsupported("with separate_directions it is Keras's Bidirectional of an RNN, which has no projection");
}

std::size_t RecurrentEmitter::sequences() const { return attributes_.is_none("merge_mode") ? 2 : 1; }

bool RecurrentEmitter::is_last(std::int64_t layer) const {
  return layer + layers_at_once_ == attributes_.integer("num_layers");
}

Handle RecurrentEmitter::time_and_batch_swapped(const std::string& suffix, Handle value) {
  SymbolicShape shape = emitter_.shape(value);
  std::swap(shape[0], shape[1]);
  return named(emitter_, suffix).apply("Transpose", {value}, std::move(shape), {{"axes", Json::Array{1, 0, 2}}});
}

std::vector<Handle> RecurrentEmitter::initial_states(std::int64_t layer) {
  std::vector<Handle> inputs = emitter_.inputs();
  inputs.erase(inputs.begin());
  const std::int64_t layers = attributes_.integer("num_layers");
  const bool separate = has_keras_states(emitter_.input_shapes());
  std::vector<Handle> result;
  for (std::int64_t direction = 0; direction < directions(attributes_); ++direction)
    for (std::int64_t i = layer; i < layer + layers_at_once_; ++i)
      for (std::int64_t state = 0; state < kind_.states; ++state)
        result.push_back(separate ? inputs.at((direction * layers + i) * kind_.states + state)
                                  : one_state(state, i, direction));
  return result;
}

// Of PyTorch's states.
Handle RecurrentEmitter::one_state(std::int64_t state, std::int64_t layer, std::int64_t direction) {
  const Handle stacked = emitter_.input(static_cast<std::size_t>(state) + 1);
  const SymbolicShape& shape = emitter_.shape(stacked);
  return named(emitter_, "state" + std::to_string(state) + tensor_suffix(layer, direction))
      .apply("GetItem", {stacked, Json(layer * directions(attributes_) + direction)}, {shape[1], shape[2]});
}

void RecurrentEmitter::write_cells(Json::Object& inner_config) const {
  if (inner_.class_name != kRnn) return;
  Json cells = whole_cells(kind_, attributes_, Json(inner_config.at("cell")));
  if (is_stack(cells) && kind_.states > 1 && emitter_.input_shapes().size() > 1)
    throw Unsupported("initial states of stacked cells with " + std::to_string(kind_.states) + " states each");
  inner_config.set("cell", std::move(cells));
}

Json::Object RecurrentEmitter::bidirectional_config(const Attributes& attributes) const {
  Json::Object config = config_;
  Attributes own = attributes;
  for (const char* member : {"layer", "backward_layer"}) {
    const Json::Object& kept = config_.at(member).as_object();
    Json::Object inner =
        config_of(inner_, Layer{kept.at("name").as_string(), kind_.type, own, keras_origin_from_json(kept)});
    inner.set("zero_output_for_mask", own.boolean("return_sequences"));  // as Bidirectional sets it
    inner.erase("training");
    write_cells(inner);
    config.set(member, Json::Object{{"module", "keras.layers"},
                                    {"class_name", inner_.class_name},
                                    {"config", std::move(inner)},
                                    {"registered_name", nullptr}});
    own.set("go_backwards", !attributes.boolean("go_backwards"));
  }
  return config;
}

Json::Object RecurrentEmitter::layer_config(std::int64_t layer) const {
  Attributes own = attributes_;
  own.set("return_state", needs_states_);
  own.set("return_sequences", !is_last(layer) || attributes_.boolean("return_sequences"));
  own.set("go_backwards",
          layer == 0 && attributes_.boolean("go_backwards"));  // the next one takes the sequence as it comes
  if (directions(attributes_) == 2 && !is_projected(attributes_)) return bidirectional_config(own);
  Json::Object config = config_;
  for (const char* name : {"return_state", "return_sequences", "go_backwards"}) config.set(name, own.boolean(name));
  write_cells(config);
  return config;
}

std::vector<Handle> RecurrentEmitter::write_layer(std::int64_t layer, Handle input) {
  const std::int64_t hidden = attributes_.integer("hidden_size");
  const std::int64_t width =
      attributes_.at("merge_mode") == AttributeValue("concat") ? hidden * directions(attributes_) : hidden;
  Json::Object config = layer_config(layer);
  config.erase("training");
  const bool has_states = emitter_.input_shapes().size() > 1;
  if (is_projected(attributes_))
    return write_projected(
        {kind_, attributes_, layer, std::move(config), has_states ? initial_states(layer) : std::vector<Handle>{}},
        input, emitter_);
  const SymbolicShape& shape = emitter_.shape(input);
  SymbolicShape output{shape[0], shape[1], width};
  if (is_last(layer) && !attributes_.boolean("return_sequences")) output = {shape[0], width};
  KerasEmitter::Call call{.suffix = keras_part(layer),
                          .class_name = directions(attributes_) == 2 ? "Bidirectional" : inner_.class_name,
                          .config = std::move(config),
                          .arguments = {input},
                          .outputs = std::vector<SymbolicShape>(sequences(), output)};
  if (needs_states_)
    call.outputs.insert(call.outputs.end(), kind_.states * directions(attributes_) * layers_at_once_,
                        SymbolicShape{shape[0], hidden});
  if (has_states) call.keywords.emplace_back("initial_state", initial_states(layer));
  call.keywords.insert(call.keywords.end(), emitter_.named_inputs().begin(), emitter_.named_inputs().end());
  if (attributes_.boolean("training")) call.keywords.emplace_back("training", Json(true));
  return emitter_.call(std::move(call));
}

KerasEmitter::Results RecurrentEmitter::run() {
  const Attributes& a = attributes_;
  Handle value = emitter_.input(0);
  if (!a.boolean("batch_first")) value = time_and_batch_swapped("batch_first", value);

  const std::int64_t layers = a.integer("num_layers");
  std::vector<Handle> outputs;
  std::vector<std::vector<Handle>> finals(
      kind_.states, std::vector<Handle>(layers * directions(a)));  // the states as PyTorch has them
  for (std::int64_t layer = 0; layer < layers; layer += layers_at_once_) {
    if (layer > 0 && a.number("dropout") > 0) {
      Attributes dropout = Registry::instance().find("Dropout")->defaults();
      dropout.set("p", a.number("dropout"));
      value = emitter_.layer("dropout" + std::to_string(layer), "Dropout", dropout, value);
    }
    outputs = write_layer(layer, value);
    value = outputs[0];
    auto state_of_layer = outputs.begin() + static_cast<std::ptrdiff_t>(sequences());
    if (state_of_layer == outputs.end()) continue;
    for (std::int64_t direction = 0; direction < directions(a); ++direction)
      for (std::int64_t i = layer; i < layer + layers_at_once_; ++i)
        for (auto& states : finals) states[i * directions(a) + direction] = *state_of_layer++;
  }
  outputs.resize(sequences());
  if (!a.boolean("batch_first") && a.boolean("return_sequences"))
    for (std::size_t i = 0; i < sequences(); ++i)
      outputs[i] = time_and_batch_swapped(i == 0 ? "time_first" : "time_first_reverse", outputs[i]);
  if (!needs_states_) return outputs;
  if (a.boolean("return_state")) {
    for (std::int64_t direction = 0; direction < directions(a); ++direction)
      for (std::int64_t layer = 0; layer < layers; ++layer)
        for (const auto& states : finals) outputs.push_back(states[layer * directions(a) + direction]);
    return outputs;
  }
  for (std::size_t state = 0; state < finals.size(); ++state) {
    const SymbolicShape& each = emitter_.shape(finals[state][0]);
    SymbolicShape shape{static_cast<std::int64_t>(finals[state].size()), each[0], each[1]};
    outputs.push_back(
        named(emitter_, state == 0 ? "h_n" : "c_n").apply("Stack", {finals[state]}, std::move(shape), {{"axis", 0}}));
  }
  return outputs;
}

KerasEmitter::Results write_step(const Kind& kind, const Attributes& attributes, Json::Object config,
                                 KerasEmitter& emitter) {
  const SymbolicShape& shape = emitter.input_shapes().at(0);
  const Handle sequence =
      named(emitter, "step").apply("ExpandDims", {emitter.input(0)}, {shape[0], 1, shape[1]}, {{"axis", 1}});
  const SymbolicShape state{shape[0], attributes.integer("hidden_size")};
  const bool needs_cell_state = kind.states == 2 && emitter.is_used(1);
  config.set("return_state", needs_cell_state);
  KerasEmitter::Call call{.class_name = kind.keras_class,
                          .config = std::move(config),
                          .arguments = {sequence},
                          .outputs = std::vector<SymbolicShape>(needs_cell_state ? 3 : 1, state)};
  std::vector<Handle> states = emitter.inputs();
  states.erase(states.begin());
  if (!states.empty()) call.keywords.emplace_back("initial_state", std::move(states));
  std::vector<Handle> outputs = emitter.call(std::move(call));
  if (needs_cell_state) outputs.erase(outputs.begin());  // the output is the hidden state
  return outputs;
}

}  // namespace h5bridge::recurrent
