#include "facets/spec/functional.h"

#include <algorithm>

#include "h5bridge/error.h"

namespace h5bridge {
namespace {

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

const ParameterSpec* parameter_named(const std::vector<ParameterSpec>& parameters, const std::string& name) {
  const auto found = std::ranges::find(parameters, name, &ParameterSpec::name);
  return found == parameters.end() ? nullptr : &*found;
}

void check_operands(const std::vector<ParameterSpec>& parameters, const Functional& row,
                    const std::vector<SymbolicShape>& inputs) {
  for (std::size_t i = row.tensors; i < inputs.size(); ++i) {
    const std::string& name = row.operands[i - row.tensors];
    const ParameterSpec* wanted = parameter_named(parameters, name);
    if (wanted && SymbolicShape(wanted->shape.begin(), wanted->shape.end()) != inputs[i])
      throw MalformedFile("its " + name + " has shape " + to_string(inputs[i]) + ", expected " +
                          to_string(wanted->shape));
  }
}

// The module's sample with its parameters as inputs; none if the function cannot say it.
std::vector<Sample> sample_of(const LayerType& module, const LayerType& function, const Functional& row,
                              const Sample& sample) {
  const Attributes settings = attributes_from_json(module, sample.attributes, module.name);
  const std::vector<ParameterSpec> parameters = module.parameters(settings);
  Sample result{.what = sample.what,
                .attributes = {},
                .inputs = sample.inputs,
                .in_keras = sample.in_keras,
                .between = sample.between};
  result.batch_axes.assign(row.tensors, 0);
  std::size_t known = 0;
  for (const std::string& operand : row.operands) {
    const ParameterSpec* parameter = parameter_named(parameters, operand);
    if (!parameter || result.inputs.size() < row.tensors + known) continue;
    if (&operand != &row.operands[known]) return {};  // one before it is left out, which a sample cannot say
    result.inputs.push_back(parameter->shape);
    result.batch_axes.push_back(Sample::kNoBatch);
    ++known;
  }
  if (known < row.required) return {};
  for (const auto& [name, value] : sample.attributes)
    if (has(row.arguments, name)) result.attributes.set(name, value);
  try {
    const Attributes said = attributes_from_json(function, result.attributes, function.name);
    const Attributes made = module_settings(module, row, said, result.open_inputs());
    if (std::ranges::any_of(module.attributes,
                            [&](const AttributeSpec& spec) { return made.at(spec.name) != settings.at(spec.name); }))
      return {};
  } catch (const MalformedFile&) {
    return {};
  }
  return {result};
}

}  // namespace

Shape operand_shape(const SymbolicShape& shape) {
  if (const auto sizes = fixed(shape)) return *sizes;
  throw Unsupported("a weight of the open shape " + to_string(shape) +
                    " is not known here; LoadOptions::fix_sizes may help");
}

std::int64_t channels_of(const Attributes& attributes, const SymbolicShape& input) {
  if (input.size() < 2) throw MalformedFile("its input has shape " + to_string(input) + ", expected channels");
  const Size& channels = input[channel_axis(attributes, static_cast<std::int64_t>(input.size()))];
  if (!channels.value())
    throw Unsupported("the channels of its input are open (" + to_string(input) + "); LoadOptions::fix_sizes may help");
  return *channels.value();
}

Attributes module_settings(const LayerType& module, const Functional& row, const Attributes& attributes,
                           const std::vector<SymbolicShape>& inputs) {
  Attributes settings = module.defaults();
  for (const std::string& name : row.arguments) settings.set(name, attributes.at(name));
  if (module.find_attribute("bias")) settings.set("bias", inputs.size() == row.tensors + row.operands.size());
  row.derive(settings, inputs);
  module.check(settings);
  return settings;
}

LayoutRule beside_operands(LayoutRule rule) {
  return {rule.wish, [rule](LayoutCall& call) {
            rule.apply(call);
            for (std::size_t i = 1; i < call.input_count(); ++i)
              call.require(i, Arrangement::original(call.input_shape(i).size()));
          }};
}

std::vector<Operand> operands_of(const Functional& row) {
  std::vector<Operand> result;
  for (std::size_t i = 0; i < row.tensors; ++i)
    result.push_back(h5bridge::required(row.tensors == 1 ? "input" : "input" + std::to_string(i + 1)));
  for (std::size_t i = 0; i < row.operands.size(); ++i)
    result.push_back(i < row.required ? h5bridge::required(row.operands[i]) : optional(row.operands[i]));
  return result;
}

LayerType function_of(const LayerType& module, const Functional& row) {
  LayerType type;
  type.name = row.name;
  type.summary = "what " + module.name + " does, with its parameters as inputs";
  type.source = "torch/nn/functional.py; as " + module.name;
  for (const AttributeSpec& spec : module.attributes) {
    if (!has(row.arguments, spec.name)) continue;
    const auto own = std::ranges::find(row.own, spec.name, &AttributeSpec::name);
    type.attributes.push_back(own == row.own.end() ? spec : *own);
  }
  type.operands = operands_of(row);
  type.shapes = [module, row](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    const Attributes settings = module_settings(module, row, a, inputs);
    check_operands(module.parameters(settings), row, inputs);
    return module.shapes(settings, {inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(row.tensors)});
  };
  if (type.find_attribute("data_format")) type.layout = beside_operands(follows_data_format());
  for (const Sample& sample : module.samples)
    for (Sample& made : sample_of(module, type, row, sample)) type.samples.push_back(std::move(made));
  return type;
}

}  // namespace h5bridge
