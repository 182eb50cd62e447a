#include "keras/recording_emitter.h"

#include <algorithm>
#include <optional>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/result_types.h"

namespace h5bridge {
namespace {

bool takes(const KerasEmitter::Argument& argument, KerasEmitter::Handle value) {
  if (const auto* one = std::get_if<KerasEmitter::Handle>(&argument)) return *one == value;
  if (const auto* several = std::get_if<std::vector<KerasEmitter::Handle>>(&argument))
    return std::ranges::count(*several, value) > 0;
  const auto* list = std::get_if<KerasEmitter::List>(&argument);
  return list && std::ranges::count(*list, std::optional(value)) > 0;
}

}  // namespace

RecordingEmitter::RecordingEmitter(const std::vector<TensorType>& inputs, std::vector<SymbolicShape> outputs,
                                   const KerasMapping& mapping, std::set<std::int64_t> used, const NamedTypes& named,
                                   FindAxis find_axis)
    : outputs_(std::move(outputs)),
      mapping_(mapping),
      used_(std::move(used)),
      types_(inputs.begin(), inputs.end()),
      find_axis_(std::move(find_axis)) {
  for (const TensorType& input : inputs) inputs_.push_back(input.shape);
  for (const auto& [name, type] : named) {
    named_.emplace_back(name, types_.size());
    types_.push_back(type);
  }
}

void RecordingEmitter::note_values(const std::vector<Value>& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    for (std::size_t j = 0; j < inputs.size(); ++j)
      if (inputs[i] == inputs[j]) same_.emplace(i, j);
}

void RecordingEmitter::refuse_unused_names(const Results& results) const {
  for (const auto& [name, argument] : named_) {
    const Handle wanted = std::get<Handle>(argument);
    const auto is_wanted = [&](const Argument& given) { return takes(given, wanted); };
    const auto takes_it = [&](const Call& call) {
      return std::ranges::any_of(call.arguments, is_wanted) ||
             std::ranges::any_of(call.keywords, [&](const auto& keyword) { return is_wanted(keyword.second); });
    };
    if (std::ranges::none_of(emitted_, takes_it) && std::ranges::count(results.values, wanted) == 0)
      throw Unsupported("its input " + name + " is given by name, and is not known how to write in Keras");
  }
}

// The layer's own inputs are asked first.
std::optional<std::pair<KerasEmitter::Handle, std::int64_t>> RecordingEmitter::axis_of_size(const Size& size) {
  const auto axis_in = [&](const SymbolicShape& shape) -> std::optional<std::int64_t> {
    const auto found = std::ranges::find(shape, size);
    return found == shape.end() ? std::nullopt : std::optional(found - shape.begin());
  };
  for (Handle i = 0; i < inputs_.size(); ++i)
    if (const auto axis = axis_in(inputs_[i])) return std::pair(i, *axis);
  for (const auto& [handle, borrowed] : borrowed_)
    if (const auto axis = axis_in(borrowed.type.shape)) return std::pair(handle, *axis);
  std::optional<Axis> found = find_axis_ ? find_axis_(size) : std::nullopt;
  if (!found) return std::nullopt;
  const auto result = std::pair(Handle(types_.size()), found->axis);
  types_.push_back(found->type);
  borrowed_.emplace_back(result.first, std::move(*found));
  return result;
}

std::vector<KerasEmitter::Handle> RecordingEmitter::call(Call call) {
  const std::vector<DType> dtypes =
      dtypes_of_results(call, [&](Handle value) -> const TensorType& { return types_.at(value); });
  std::vector<Handle> result;
  for (std::size_t i = 0; i < call.outputs.size(); ++i) {
    result.push_back(types_.size());
    types_.push_back({dtypes[i], call.outputs[i]});
  }
  emitted_.push_back(std::move(call));
  return result;
}

// The type whose samples show all that a Reshape of Keras's can be told; its layer leaves the batch open besides.
void RecordingEmitter::state_sizes(std::size_t i) {
  const SymbolicShape& sizes = inputs_.at(i);
  const auto open = std::ranges::count_if(sizes, &Size::is_open);
  if (open > (sizes.at(0).is_open() ? 2 : 1))
    throw Unsupported("Keras does not know the sizes of a part of an open axis, and can be told those of its input " +
                      to_string(sizes) +
                      " with one open size besides the batch alone; LoadOptions::fix_sizes may help");
  Attributes attributes = Registry::instance().find("reshape")->defaults();
  attributes.set("shape", sizes);
  given_[i] = layer(i == 0 ? "sized" : "sized_" + std::to_string(i), "reshape", attributes, i);
}

KerasEmitter::Handle RecordingEmitter::cast(const std::string& suffix, Handle value, DType dtype) {
  Attributes attributes = Registry::instance().find("to")->defaults();
  attributes.set("dtype", std::string(name_of(dtype)));
  return layer(suffix, "to", attributes, value);
}

namespace {

KerasEmitter::Argument renumbered(KerasEmitter::Argument argument, const std::vector<KerasEmitter::Handle>& handles) {
  if (auto* handle = std::get_if<KerasEmitter::Handle>(&argument)) *handle = handles.at(*handle);
  if (auto* list = std::get_if<std::vector<KerasEmitter::Handle>>(&argument))
    for (KerasEmitter::Handle& handle : *list) handle = handles.at(handle);
  if (auto* list = std::get_if<KerasEmitter::List>(&argument))
    for (std::optional<KerasEmitter::Handle>& handle : *list)
      if (handle) handle = handles.at(*handle);
  return argument;
}

}  // namespace

// What its own mapping emits for it.
KerasEmitter::Handle RecordingEmitter::layer(const std::string& suffix, const std::string& type,
                                             const Attributes& attributes, Handle input) {
  const std::vector<SymbolicShape> inputs{shape(input)};
  const auto mappings = Registry::instance().keras_of(type);
  const auto found = std::ranges::find_if(
      mappings, [&](const KerasMapping* candidate) { return can_write(*candidate, attributes, inputs); });
  const KerasMapping& mapping = found == mappings.end() ? *mappings.at(0) : **found;
  const auto find_axis = [&](const Size& size) -> std::optional<Axis> {
    const auto place = axis_of_size(size);
    if (!place) return std::nullopt;
    return Axis{
        {"", static_cast<std::int64_t>(place->first)}, place->second, types_.at(place->first)};  // a handle of this one
  };
  RecordingEmitter inner({types_.at(input)}, Registry::instance().find(type)->shapes(attributes, inputs), mapping, {},
                         {}, find_axis);
  const Results results = mapping.lower(attributes, config_of(mapping, Layer{"", type, attributes, {}}), inner);

  const auto handles = inner.replay(
      std::vector<Handle>{input}, [](const Axis& borrowed) { return static_cast<Handle>(borrowed.value.output); },
      [&](Call made, const std::vector<Handle>& known) {
        made.suffix = made.suffix.empty() ? suffix : suffix + "_" + made.suffix;
        for (Argument& argument : made.arguments) argument = renumbered(argument, known);
        for (auto& [name, argument] : made.keywords) argument = renumbered(argument, known);
        return call(std::move(made));
      });
  return handles.at(results.first());
}

KerasEmitter::Results RecordingEmitter::main(Json::Object config, std::vector<Handle> inputs) {
  Call made{.module = mapping_.module, .class_name = mapping_.class_name, .arguments = {}, .outputs = outputs_};
  if (mapping_.inputs_as_list) {
    made.arguments = {std::move(inputs)};
    take_constants(config, made);
  } else if (mapping_.call.empty()) {
    made.arguments.assign(inputs.begin(), inputs.end());
  } else {
    take_arguments(config, inputs, made);
  }
  take_named(made);
  made.config = std::move(config);
  return call(std::move(made));
}

// Behind the list of all inputs, the constants that say something.
void RecordingEmitter::take_constants(Json::Object& config, Call& made) const {
  for (const std::string& parameter : mapping_.call) {
    const Json* constant = config.find(parameter);
    if (constant && !mapping_.says_nothing(parameter, *constant)) made.keywords.emplace_back(parameter, *constant);
    config.erase(parameter);
  }
}

// What is given by name; a list has None where nothing is.
void RecordingEmitter::take_named(Call& made) const {
  std::vector<std::string> in_lists;
  for (const ListParameter& parameter : mapping_.lists) {
    List list;
    for (const std::string& operand : parameter.operands) {
      const auto given = std::ranges::find(named_, operand, [](const auto& named) { return named.first; });
      if (!operand.empty())
        list.push_back(given == named_.end() ? std::nullopt : std::optional(std::get<Handle>(given->second)));
      in_lists.push_back(operand);
    }
    if (std::ranges::any_of(list, [](const auto& handle) { return handle.has_value(); }))
      made.keywords.emplace_back(parameter.name, std::move(list));
  }
  for (const auto& [name, argument] : named_)
    if (std::ranges::find(in_lists, name) == in_lists.end()) made.keywords.emplace_back(name, argument);
}

// Fills the parameters of the call, in order, with the constants that the rows made and with the inputs.
void RecordingEmitter::take_arguments(Json::Object& config, const std::vector<Handle>& inputs, Call& made) const {
  auto input = inputs.begin();
  for (const std::string& parameter : mapping_.call) {
    std::optional<Argument> argument;
    if (const Json* constant = config.find(parameter);
        constant && !constant->is_null() && (mapping_.is_operation() || !mapping_.says_nothing(parameter, *constant)))
      argument = *constant;
    else if (input != inputs.end())
      argument = *input++;
    config.erase(parameter);
    if (argument) made.keywords.emplace_back(parameter, std::move(*argument));
  }
  // Keras writes what it can by position; its layers take nothing but tensors so.
  const auto goes_by_position = [&](const std::pair<std::string, Argument>& keyword) {
    return keyword.first == mapping_.call[made.arguments.size()] &&
           (mapping_.is_operation() || !std::holds_alternative<Json>(keyword.second));
  };
  for (auto keyword = made.keywords.begin(); keyword != made.keywords.end() && goes_by_position(*keyword);) {
    made.arguments.push_back(std::move(keyword->second));
    keyword = made.keywords.erase(keyword);
  }
}

}  // namespace h5bridge
