#include "layers/recurrent/keras_projection.h"

#include "facets/keras/composition.h"
#include "facets/registry.h"
#include "h5bridge/error.h"

namespace h5bridge::recurrent {
namespace {

using Handle = KerasEmitter::Handle;

std::string joined(const std::string& part, const std::string& what) { return part.empty() ? what : part + "_" + what; }

class Writer {
 public:
  Writer(const ProjectedLayer& layer, Handle input, KerasEmitter& emitter)
      : layer_(layer),
        a_(layer.attributes),
        input_(input),
        emitter_(emitter),
        is_last_(layer.layer + 1 == a_.integer("num_layers")) {
    const auto refuse = [&](bool is_so, const std::string& what) {
      if (is_so) throw Unsupported("Keras's LSTM has no projection (proj_size), and what stands for it has no " + what);
    };
    refuse(a_.number("recurrent_dropout") > 0, "dropout of the hidden state");
    refuse(has_states() && a_.number("input_dropout") > 0, "dropout of the input where there is an initial state");
    refuse(has_states() && !emitter.named_inputs().empty(), "mask where there is an initial state");
  }

  std::vector<Handle> run() {
    std::vector<Handle> outputs, states;
    for (std::int64_t direction = 0; direction < directions(a_); ++direction) {
      const std::vector<Handle> made = write_direction(direction);
      outputs.push_back(made[0]);
      states.insert(states.end(), made.begin() + 1, made.end());
    }
    if (!is_last_ || !a_.is_none("merge_mode")) outputs = {merged(outputs)};
    outputs.insert(outputs.end(), states.begin(), states.end());
    return outputs;
  }

 private:
  bool has_states() const { return !layer_.initial_states.empty(); }
  bool has_sequences() const { return !is_last_ || a_.boolean("return_sequences"); }
  bool needs_states() const { return layer_.config.at("return_state").as_bool(); }

  // Its output, and h_n and c_n where they are asked for.
  std::vector<Handle> write_direction(std::int64_t direction) {
    const std::string part = projected_part(layer_.layer, direction);
    const bool backwards = (direction == 1) != (layer_.layer == 0 && a_.boolean("go_backwards"));
    Json::Object config = layer_.config;
    config.set("go_backwards", backwards);
    const SymbolicShape& shape = emitter_.shape(input_);
    const SymbolicShape state{shape[0], a_.integer("hidden_size")};
    KerasEmitter::Call call{.suffix = part,
                            .class_name = layer_.kind.keras_class,
                            .config = std::move(config),
                            .arguments = {input_},
                            .outputs = {state}};
    if (has_sequences()) call.outputs[0].insert(call.outputs[0].begin() + 1, shape[1]);
    if (needs_states()) call.outputs.insert(call.outputs.end(), 2, state);
    if (has_states()) {
      const Handle h = layer_.initial_states.at(2 * direction), c = layer_.initial_states.at(2 * direction + 1);
      call.arguments = {with_first_step(part, h, backwards)};
      call.keywords.emplace_back(
          "initial_state", std::vector<Handle>{named(emitter_, joined(part, "m_0")).elementwise("ZerosLike", {c}), c});
    }
    call.keywords.insert(call.keywords.end(), emitter_.named_inputs().begin(), emitter_.named_inputs().end());
    std::vector<Handle> outputs = emitter_.call(std::move(call));
    for (std::size_t i = 0; i < outputs.size() && i < 2; ++i) outputs[i] = projected(direction, outputs[i]);
    if (direction == 1 && has_sequences())
      outputs[0] =
          named(emitter_, joined(part, "flip")).apply("Flip", {outputs[0]}, emitter_.shape(outputs[0]), {{"axis", 1}});
    return outputs;
  }

  // The input with h_0 beside the step that is read first, and zeros beside the others, for the kernel [weight_ih,
  // weight_hh].
  Handle with_first_step(const std::string& part, Handle h, bool backwards) {
    const std::int64_t size = output_size(a_);
    const SymbolicShape& hidden = emitter_.shape(h);
    const Handle first =
        named(emitter_, joined(part, "h_0")).apply("ExpandDims", {h}, {hidden[0], 1, hidden[1]}, {{"axis", 1}});
    const Handle others = named(emitter_, joined(part, "others")).cut(input_, {{1, {.start = 1}}, {2, {.stop = 1}}});
    const Handle zero = named(emitter_, joined(part, "zero")).elementwise("ZerosLike", {others});
    SymbolicShape shape = emitter_.shape(zero);
    shape[2] = size;
    const Handle zeros = named(emitter_, joined(part, "zeros"))
                             .apply("Repeat", {zero}, std::move(shape), {{"repeats", size}, {"axis", 2}});
    const Handle steps = named(emitter_, joined(part, "steps"))
                             .concatenate(backwards ? std::vector{zeros, first} : std::vector{first, zeros}, 1);
    return named(emitter_, joined(part, "input")).concatenate({input_, steps}, 2);
  }

  Handle projected(std::int64_t direction, Handle value) {
    const KerasMapping& dense = *Registry::instance().keras_of("Linear").at(0);
    Attributes attributes = Registry::instance().find("Linear")->defaults();
    attributes.set("in_features", a_.integer("hidden_size"));
    attributes.set("out_features", output_size(a_));
    attributes.set("bias", false);
    SymbolicShape shape = emitter_.shape(value);
    shape.back() = output_size(a_);
    return emitter_
        .call({.suffix = projection_part(layer_.layer, direction),
               .class_name = dense.class_name,
               .config = config_of(dense, Layer{"", "Linear", attributes, {}}),
               .arguments = {value},
               .outputs = {std::move(shape)}})
        .at(0);
  }

  Handle merged(const std::vector<Handle>& parts) {
    if (parts.size() == 1) return parts[0];
    const std::string suffix = joined(projected_part(layer_.layer, 0), "merge");
    const std::string mode = is_last_ ? a_.text("merge_mode") : "concat";
    if (mode == "concat")
      return named(emitter_, suffix).concatenate(parts, static_cast<std::int64_t>(emitter_.shape(parts[0]).size()) - 1);
    static const std::map<std::string, std::string> layers{{"sum", "Add"}, {"mul", "Multiply"}, {"ave", "Average"}};
    return emitter_
        .call({.suffix = suffix,
               .class_name = layers.at(mode),
               .arguments = {parts},
               .outputs = {emitter_.shape(parts[0])}})
        .at(0);
  }

  const ProjectedLayer& layer_;
  const Attributes& a_;
  const Handle input_;
  KerasEmitter& emitter_;
  const bool is_last_;
};

}  // namespace

std::string projected_part(std::int64_t layer, std::int64_t direction) {
  const std::string name = layer == 0 ? "" : "l" + std::to_string(layer);
  return direction == 0 ? name : joined(name, "reverse");
}

std::string projection_part(std::int64_t layer, std::int64_t direction) {
  return joined(projected_part(layer, direction), "projection");
}

std::vector<Handle> write_projected(const ProjectedLayer& layer, Handle input, KerasEmitter& emitter) {
  return Writer(layer, input, emitter).run();
}

WeightRules projected_rules(const Attributes& a, std::int64_t layer, std::int64_t direction, bool has_initial_state) {
  const std::string suffix = tensor_suffix(layer, direction), part = projected_part(layer, direction);
  const WeightStep transposed = PermuteAxes{{1, 0}};
  const std::string ih = "weight_ih" + suffix, hh = "weight_hh" + suffix, hr = "weight_hr" + suffix;
  const std::string cell = "lstm_cell/";
  WeightRules result;
  // Where h_0 comes in by the input, weight_hh is exact in the kernel.
  if (has_initial_state)
    result.rules = {{{ih, hh},
                     {cell + "kernel"},
                     {Join{1, {input_size(a, layer), output_size(a)}}, transposed},
                     true,
                     part,
                     {},
                     "cell"},
                    {{}, {cell + "recurrent_kernel"}, {Product{}, transposed}, true, part, {hh, hr}, "cell"}};
  else
    result.rules = {{{ih}, {cell + "kernel"}, {transposed}, true, part, {}, "cell"},
                    {{hh}, {cell + "recurrent_kernel"}, {Product{}, transposed}, true, part, {hr}, "cell"}};
  if (a.boolean("bias"))
    result.rules.push_back(
        {{"bias_ih" + suffix, "bias_hh" + suffix}, {cell + "bias"}, {Sum{2}}, true, part, {}, "cell"});
  result.rules.push_back({{hr}, {"kernel"}, {transposed}, true, projection_part(layer, direction), {}});
  return result;
}

}  // namespace h5bridge::recurrent
