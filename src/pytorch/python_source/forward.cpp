#include "pytorch/python_source/forward.h"

#include <algorithm>
#include <functional>
#include <set>

#include "facets/registry.h"
#include "pytorch/python_source/blocks.h"
#include "pytorch/python_source/loops.h"
#include "pytorch/python_source/names.h"
#include "pytorch/python_source/paths.h"
#include "pytorch/python_source/variables.h"

namespace h5bridge::torch_source {
namespace {

constexpr std::size_t kLine = 88 - 8;  // black's, less the indentation of a method's body
constexpr std::size_t kStep = 4;       // further in, for each block
constexpr std::size_t kOfTarget = 12;  // a variable's name, and what stands behind it
constexpr std::size_t kDeepest = 4;    // calls within calls that are read at a glance

// An expression that is written where it is used, if it is used once and briefly.
struct Pending {
  Python code;
  std::vector<std::string> variables;
  std::size_t depth;
  std::vector<std::string> names;  // what a variable of it would be called
  bool keeps_name;                 // rather those than the name of what it is made of
  bool is_weighty;                 // a layer with a matrix is in it
};

class ForwardWriter : public SourcePlace {
 public:
  ForwardWriter(const ModuleTree& tree, const Calls& calls, const SourceModule& module, Helpers& helpers,
                std::map<std::string, std::size_t> size_reads = {})
      : tree_(tree),
        calls_(calls),
        module_(module),
        helpers_(helpers),
        items_(calls.items_of(module)),
        size_reads_(std::move(size_reads)) {
    for (const char* name : {"self", "torch", "nn", "F", "next"}) variables_.reserve(name);
    for (const PythonHelper* helper : helpers.all()) variables_.reserve(helper->name);
    if (is_script())
      for (const char* name : {"__torch__", "getattr", "len", "range", "int", "float", "bool", "inf", "nan", "ops"})
        variables_.reserve(name);
  }

  Forward write() {
    count_uses();
    number_skips();
    take_parameters();
    if (!is_script()) unpack_sizes();
    const std::vector<Part> parts = parts_of(items_, calls_, tree_.branches());
    const auto is_choice = [](const Part& part) { return !part.choices.empty(); };
    if (is_script() || std::ranges::any_of(parts, is_choice))
      write_parts(parts);
    else
      write_items();
    give_results();
    result_.statements.insert(result_.statements.begin(), prologue_.begin(), prologue_.end());
    return std::move(result_);
  }

  /// How often a symbol's size is written.
  const std::map<std::string, std::size_t>& read_sizes() const { return read_sizes_; }

  Python size(const Size& size) override;
  std::string helper(const PythonHelper& helper) override {
    helpers_.need(helper);
    variables_.reserve(helper.name);
    return helper.name;
  }
  bool is_script() const override { return tree_.language() == Language::TorchScript; }
  std::string device() override {
    for (const auto& [name, value] : variables_.latest()) {
      note(name);
      return name + ".device";
    }
    return is_script() ? first_tensor() + ".device" : "next(self.parameters()).device";
  }

 private:
  bool is_root() const { return !module_.parent; }
  std::string path(const SourceModule& module) const { return path_from(module_, module, tree_.language()); }
  /// What calls a module.
  std::string callee(const SourceModule& module) const {
    const std::string method = module.is_base() && is_script() ? kForwardOfBase : "forward";
    return path(module) + (module.is_base() || is_script() ? "." + method : "");
  }
  std::string first_tensor() const;
  std::vector<Value> parameters() const;
  void count_uses();
  void take_parameters();
  void cast_input(const std::string& name, const Value& input);
  std::optional<Python> size_at_start(const std::string& symbol);
  void write_parts(const std::vector<Part>& parts);
  void write_choice(const Part& part);
  void number_skips();
  void unpack_sizes();
  void call(const SourceItem& item) { item.module ? call_module(*item.module, item.call) : call_node(item.node); }
  void call_repeatedly(const Repetition& repetition);
  void flush_everything();
  std::string purpose_of(const Value& value) const;
  void write_items();
  void call_node(std::size_t number);
  void call_module(const SourceModule& called, std::size_t call);
  void give_results();

  Python read(const Value& value);
  void note(const std::string& variable) {
    if (std::ranges::find(read_, variable) == read_.end()) read_.push_back(variable);
  }
  void state(const std::string& statement) { result_.statements.push_back(std::string(margin_, ' ') + statement); }
  std::size_t room() const { return kLine - std::min(margin_, kLine / 2); }
  void done_with(const std::vector<Value>& values);
  void finish(const std::vector<Value>& made, const Python& code, const std::vector<Value>& taken,
              const std::vector<std::string>& names, bool keeps_name, bool may_wait);
  std::string name_for(const std::vector<std::string>& names, bool keeps_name,
                       const std::vector<std::string>& variables);
  void assign(const Value& value, const Pending& pending);
  void flush(const Value& value);
  void flush_all(const std::vector<Value>& values);
  bool flush_longest(const std::vector<Value>& values);
  void flush_weighty(const std::vector<Value>& values);
  void flush_readers_of(const std::string& variable);
  std::size_t module_users_of(const Value& value) const;
  std::string own_name_of(const Value& value) const;
  std::optional<Python> size_at(const Size& size);
  SourceCall call_of_node(const Node& node, const Layer& layer, const LayerType& type);

  const ModuleTree& tree_;
  const Calls& calls_;
  const SourceModule& module_;
  Helpers& helpers_;
  const std::vector<SourceItem> items_;
  Forward result_;
  Variables variables_;
  std::map<Value, std::size_t> uses_;  // that are still to come
  std::map<Value, std::size_t> module_users_;
  std::map<Value, Pending> pending_;
  std::map<Value, Python> own_tensors_;  // of modules, which are read wherever they are used
  std::vector<std::string> read_;        // variables in the expression that is being written
  std::size_t depth_ = 0;                // of that expression
  bool is_weighty_ = false;              // likewise
  std::vector<Value> sized_by_;          // the operands of the call that is being written
  std::size_t margin_ = 0;               // of the block that is being written
  std::map<Value, std::string> skips_;   // where there are several
  std::vector<std::string> prologue_;
  const std::map<std::string, std::size_t> size_reads_;  // how often a symbol is read, where that is known
  std::map<std::string, std::size_t> read_sizes_;        // likewise, counted
  std::map<std::string, std::string> sizes_;  // symbols that the prologue reads, and the variables that hold them
};

// In the order in which they are made.
void ForwardWriter::number_skips() {
  std::vector<Value> skips;
  for (const SourceItem& item : items_) {
    std::vector<Value> made;
    if (item.module) {
      made = calls_.outputs_of(*item.module, item.call);
    } else {
      made.push_back({tree_.architecture().nodes[item.node].name});
    }
    for (const Value& value : made)
      if (calls_.purpose_of(value) == kSkip) skips.push_back(value);
  }
  if (skips.size() > 1)
    for (std::size_t i = 0; i < skips.size(); ++i) skips_[skips[i]] = kSkip + std::to_string(i + 1);
}

std::string ForwardWriter::purpose_of(const Value& value) const {
  const auto numbered = skips_.find(value);
  return numbered == skips_.end() ? calls_.purpose_of(value) : numbered->second;
}

// Sizes that are read again and again have names: batch, length, _ = x.shape.
void ForwardWriter::unpack_sizes() {
  const std::vector<Value> values = parameters();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const SymbolicShape& shape = tree_.types().of(values[i]).shape;
    std::vector<std::string> names;
    std::size_t known = 0;
    for (const Size& size : shape) {
      const std::string text = size.str();
      const auto times = size_reads_.find(text);
      const std::string wanted = is_python_name(text) ? text : spatial_name(shape.size(), names.size());
      names.emplace_back("_");
      if (times == size_reads_.end() || times->second < 2 || wanted.empty() || sizes_.contains(text)) continue;
      names.back() = sizes_[text] = variables_.unused(wanted);
      ++known;
    }
    if (known == 0) continue;
    const std::string& name = result_.parameters[i];
    if (known > 1) {
      prologue_.push_back(joined(names) + " = " + name + ".shape");
      continue;
    }
    const auto axis = std::ranges::find_if(names, [](const std::string& each) { return each != "_"; }) - names.begin();
    prologue_.push_back(names[static_cast<std::size_t>(axis)] + " = " + name + ".shape[" + std::to_string(axis) + "]");
  }
}

// With a statement for each of the values that lead from one time to the next.
void ForwardWriter::call_repeatedly(const Repetition& repetition) {
  flush_everything();
  std::vector<std::string> before = std::move(result_.statements);
  std::vector<std::vector<std::string>> parts;
  for (std::size_t time = 0; time < repetition.count; ++time) {
    result_.statements.clear();
    for (std::size_t i = 0; i < repetition.period; ++i) call(items_[repetition.first + time * repetition.period + i]);
    flush_everything();
    parts.push_back(std::move(result_.statements));
  }
  std::vector<std::string> taken = result_.parameters;
  for (const auto& [name, value] : variables_.latest()) taken.push_back(name);
  for (const auto& [symbol, name] : sizes_) taken.push_back(name);
  result_.statements = std::move(before);
  for (std::string& statement : as_loop(parts, lists_in(module_), taken))
    result_.statements.push_back(std::move(statement));
}

// In the order in which they are computed.
void ForwardWriter::flush_everything() {
  for (const SourceItem& item : items_) {
    if (pending_.empty()) return;
    if (item.module)
      flush_all(calls_.outputs_of(*item.module, item.call));
    else
      flush({tree_.architecture().nodes[item.node].name});
  }
}

std::vector<Value> ForwardWriter::parameters() const {
  if (!is_root()) return calls_.inputs_of(module_);
  std::vector<Value> result;
  for (const Input& input : tree_.architecture().inputs) result.push_back({input.name});
  return result;
}

void ForwardWriter::count_uses() {
  for (const SourceItem& item : items_) {
    const std::vector<Value> values =
        item.module ? calls_.inputs_of(*item.module, item.call) : tree_.architecture().nodes[item.node].values();
    const bool is_module = item.module || tree_.module_of(tree_.layer_of(item.node));
    for (const Value& value : values) {
      ++uses_[value];
      if (is_module) ++module_users_[value];
    }
  }
  if (is_root())
    for (const Output& output : tree_.architecture().outputs) ++uses_[output.value];
  else
    for (const Value& value : calls_.outputs_of(module_)) ++uses_[value];
}

void ForwardWriter::take_parameters() {
  for (const Value& value : parameters()) {
    const std::string wanted =
        is_root() ? input_name(tree_.architecture(), value.node) : operand_name(tree_, calls_, module_, value);
    const std::string name = variables_.fresh({wanted, "x"});
    result_.parameters.push_back(name);
    variables_.hold(name, value);
    if (uses_[value] == 0) variables_.release(name);
    if (is_root()) cast_input(name, value);
  }
}

// A model of Keras's takes any type of floating-point numbers, and computes in its own.
void ForwardWriter::cast_input(const std::string& name, const Value& input) {
  const auto stated = std::ranges::find(tree_.architecture().inputs, input.node, &Input::name);
  const DType computed = tree_.types().of(input).dtype;
  if (!tree_.architecture().keras.class_name || uses_[input] == 0 || stated->dtype == computed ||
      !is_floating_point(stated->dtype))
    return;
  result_.statements.push_back(name + " = " + name + ".to(" + python_value(AttributeValue(computed)).text + ")");
}

// A size that no tensor at hand has any more is read at the beginning.
std::optional<Python> ForwardWriter::size_at_start(const std::string& symbol) {
  if (const auto known = sizes_.find(symbol); known != sizes_.end()) return Python(known->second);
  const std::vector<Value> values = parameters();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const SymbolicShape& shape = tree_.types().of(values[i]).shape;
    const auto axis = std::ranges::find(shape, Size::symbol(symbol));
    if (axis == shape.end()) continue;
    const std::string name = variables_.unused(variable_name(symbol, "size"));
    prologue_.push_back(name + " = " + result_.parameters[i] + ".shape[" + std::to_string(axis - shape.begin()) + "]");
    return Python(sizes_[symbol] = name);
  }
  return std::nullopt;
}

// Of those that the module or one within it has.
std::string ForwardWriter::first_tensor() const {
  const std::function<std::string(const SourceModule&)> in = [&](const SourceModule& module) -> std::string {
    if (module.tensor) return path(module);
    if (module.layer)
      for (const ParameterSpec& own : Registry::instance().type_of(*module.layer).parameters(module.layer->attributes))
        return path(module) + "." + own.name;
    for (const auto& child : module.children)
      if (std::string found = in(*child); !found.empty()) return found;
    return "";
  };
  const std::string found = in(module_);
  if (found.empty()) throw Unsupported("it makes tensors on the device of others, and there are none");
  return found;
}

std::size_t ForwardWriter::module_users_of(const Value& value) const {
  const auto found = module_users_.find(value);
  return found == module_users_.end() ? 0 : found->second;
}

Python ForwardWriter::read(const Value& value) {
  if (const auto own = own_tensors_.find(value); own != own_tensors_.end()) return own->second;
  if (const auto waiting = pending_.find(value); waiting != pending_.end()) {
    for (const std::string& variable : waiting->second.variables) note(variable);
    depth_ = std::max(depth_, waiting->second.depth);
    is_weighty_ = is_weighty_ || waiting->second.is_weighty;
    return waiting->second.code;
  }
  const auto name = variables_.of(value);
  if (!name) throw std::logic_error("no variable holds output " + std::to_string(value.output) + " of " + value.node);
  note(*name);
  return *name;
}

// A variable whose value has no use left is free.
void ForwardWriter::done_with(const std::vector<Value>& values) {
  for (const Value& value : values) {
    if (--uses_[value] > 0) continue;
    if (const auto waiting = pending_.find(value); waiting != pending_.end()) {
      for (const std::string& variable : waiting->second.variables) variables_.unpin(variable);
      pending_.erase(waiting);
    } else if (const auto name = variables_.of(value)) {
      variables_.release(*name);
    }
  }
}

std::string ForwardWriter::name_for(const std::vector<std::string>& names, bool keeps_name,
                                    const std::vector<std::string>& variables) {
  if (!keeps_name)
    for (const std::string& variable : variables)
      if (is_flow_name(variable) && !variables_.is_taken(variable)) return variable;
  std::vector<std::string> wanted = names;
  if (!keeps_name) wanted.insert(wanted.begin(), "x");
  return variables_.fresh(wanted);
}

void ForwardWriter::flush_readers_of(const std::string& variable) {
  for (bool found = true; found;) {
    found = false;
    for (const auto& [value, waiting] : pending_)
      if (std::ranges::find(waiting.variables, variable) != waiting.variables.end()) {
        flush(Value(value));
        found = true;
        break;
      }
  }
}

void ForwardWriter::assign(const Value& value, const Pending& pending) {
  const std::string name = name_for(pending.names, pending.keeps_name, pending.variables);
  flush_readers_of(name);
  state(name + " = " + pending.code.text);
  variables_.hold(name, value);
}

void ForwardWriter::flush(const Value& value) {
  const auto waiting = pending_.find(value);
  if (waiting == pending_.end()) return;
  const Pending pending = waiting->second;
  pending_.erase(waiting);
  for (const std::string& variable : pending.variables) variables_.unpin(variable);
  assign(value, pending);
}

void ForwardWriter::flush_all(const std::vector<Value>& values) {
  for (const Value& value : values) flush(value);
}

// Of those that wait; false where none does.
bool ForwardWriter::flush_longest(const std::vector<Value>& values) {
  const auto length = [&](const Value& value) {
    const auto waiting = pending_.find(value);
    return waiting == pending_.end() ? std::pair<std::size_t, std::size_t>()
                                     : std::pair(waiting->second.depth, waiting->second.code.text.size());
  };
  const auto longest = std::ranges::max_element(values, {}, length);
  if (longest == values.end() || !pending_.contains(*longest)) return false;
  flush(Value(*longest));
  return true;
}

// What a statement of its own begins with; what is light may stand within.
void ForwardWriter::flush_weighty(const std::vector<Value>& values) {
  for (const Value& value : values)
    if (const auto waiting = pending_.find(value);
        waiting != pending_.end() && (waiting->second.is_weighty || waiting->second.depth > 2))
      flush(value);
}

// The values that a call made, whose code reads the variables of read_.
void ForwardWriter::finish(const std::vector<Value>& made, const Python& code, const std::vector<Value>& taken,
                           const std::vector<std::string>& names, bool keeps_name, bool may_wait) {
  done_with(taken);
  const Pending pending{code, read_, depth_ + 1, names, keeps_name, is_weighty_};
  if (made.size() == 1 && may_wait && uses_[made[0]] == 1) {
    for (const std::string& variable : pending.variables) variables_.pin(variable);
    pending_.emplace(made[0], pending);
    return;
  }
  if (uses_[made.at(0)] == 0)
    state(code.text);  // a module's: it may count its calls
  else
    assign(made[0], pending);
}

SourceCall ForwardWriter::call_of_node(const Node& node, const Layer& layer, const LayerType& type) {
  read_.clear();
  depth_ = 0;
  is_weighty_ = false;
  sized_by_ = node.values();
  const SourceModule* own = tree_.module_of(layer);
  SourceCall call{layer, type, own ? callee(*own) : "", {}, {}, tree_.types().outputs_of(node.name), *this};
  for (const Node::Argument& argument : node.arguments) {
    std::vector<std::optional<Python>> given;
    std::vector<TensorType> types;
    const auto add = [&](const std::optional<Value>& value) {
      given.push_back(value ? std::optional(read(*value)) : std::nullopt);
      types.push_back(value ? tree_.types().of(*value) : TensorType{});
    };
    if (const auto* value = std::get_if<Value>(&argument)) add(*value);
    if (const auto* list = std::get_if<Node::List>(&argument))
      for (const std::optional<Value>& value : *list) add(value);
    call.operands.push_back(std::move(given));
    call.input_types.push_back(std::move(types));
  }
  call.operands.resize(type.operands.size());
  call.input_types.resize(type.operands.size());
  return call;
}

// A layer with a matrix begins a statement; what is lighter may follow in it.
bool is_weighty(const LayerType& type, const Layer& layer) {
  return std::ranges::any_of(type.parameters(layer.attributes), [](const ParameterSpec& parameter) {
    return !parameter.name.empty() && parameter.shape.size() > 1;
  });
}

void ForwardWriter::write_parts(const std::vector<Part>& parts) {
  for (const Part& part : parts) part.choices.empty() ? call(part.item) : write_choice(part);
}

/// One after the other, what is repeated in a loop.
void ForwardWriter::write_items() {
  std::size_t at = 0;
  for (const Repetition& repetition : repetitions_in(tree_, module_, items_)) {
    while (at < repetition.first) call(items_[at++]);
    call_repeatedly(repetition);
    at = repetition.end();
  }
  while (at < items_.size()) call(items_[at++]);
}

// An `if` whose two ways give the same variables their values. What one way calls its own values, the other does not
// know, and neither do the statements behind.
void ForwardWriter::write_choice(const Part& part) {
  std::vector<Conditional> choices;
  std::vector<Value> made, waiting;
  for (const std::size_t node : part.choices) {
    const Value result{tree_.architecture().nodes[node].name};
    const Conditional& choice = *tree_.branches().choice_at(node);
    if (uses_[result] == 0) {
      done_with({choice.predicate, choice.if_true, choice.if_false});
      continue;
    }
    choices.push_back(choice);
    made.push_back(result);
  }
  if (made.empty()) return;
  const Value predicate = choices[0].predicate;
  for (const auto& [value, pending] : pending_)
    if (value != predicate) waiting.push_back(value);
  flush_all(waiting);
  const auto condition = [&] { return is_script() ? "bool(" + read(predicate).text + ")" : read(predicate).text; };
  if (condition().size() + kStep > room()) flush(predicate);
  state("if " + condition() + ":");
  done_with(std::vector<Value>(choices.size(), predicate));

  const Variables before = variables_;
  std::vector<std::string> names;
  const auto write_way = [&](const std::vector<Part>& parts, Value Conditional::* way) {
    margin_ += kStep;
    const std::size_t begin = result_.statements.size();
    write_parts(parts);
    for (std::size_t i = 0; i < choices.size(); ++i) {
      read_.clear();
      const Python code = read(choices[i].*way);
      done_with({choices[i].*way});
      if (i == names.size()) names.push_back(name_for({}, false, read_));
      if (code.text != names[i]) state(names[i] + " = " + code.text);
      variables_.hold(names[i], made[i]);
    }
    if (result_.statements.size() == begin) state("pass");
    margin_ -= kStep;
  };
  const auto go_back = [&] {
    variables_.go_back(before);
    for (const auto& [name, value] : before.latest())
      if (uses_[value] == 0) variables_.release(name);
    for (std::size_t i = 0; i < names.size(); ++i) variables_.hold(names[i], made[i]);
  };
  write_way(part.if_true, &Conditional::if_true);
  const Variables after_true = variables_;
  go_back();
  state("else:");
  write_way(part.if_false, &Conditional::if_false);
  const Variables after_false = variables_;
  go_back();
  for (const auto& [name, value] : before.latest())
    if (std::ranges::find(names, name) == names.end() &&
        (after_true.held_by(name) != value || after_false.held_by(name) != value))
      variables_.forget(name);
}

void ForwardWriter::call_node(std::size_t number) {
  const Node& node = tree_.architecture().nodes[number];
  const Layer& layer = tree_.layer_of(number);
  const LayerType& type = Registry::instance().type_of(layer);
  const TorchSource& source = tree_.source_of(layer);
  const std::vector<Value> taken = node.values();
  const SourceModule* own = tree_.module_of(layer);
  if (own && taken.empty()) {
    own_tensors_.emplace(Value{node.name}, path(*own));
    return;
  }
  const bool is_weight = is_weighty(type, layer);
  if (is_weight) flush_weighty(taken);
  if (type.operands.size() > 2) flush_all(taken);

  std::vector<Value> made;
  for (std::size_t i = 0; i < tree_.types().outputs_of(node.name).size(); ++i)
    made.push_back({node.name, static_cast<std::int64_t>(i)});
  const bool first_alone = made.size() > 1 && source.first && std::ranges::all_of(made, [&](const Value& value) {
                             return value == made[0] || uses_[value] == 0;
                           });
  const bool as_function = !own && source.constructor;
  const auto& way = as_function ? source.function : first_alone ? source.first : source.call;
  if (first_alone) made.resize(1);
  const auto write = [&] {
    const SourceCall call = call_of_node(node, layer, type);
    return in_file(describe(layer), [&] { return way(call); });
  };
  Python code = write();
  while ((depth_ >= kDeepest || code.text.size() + kOfTarget > room()) && flush_longest(taken)) code = write();
  is_weighty_ = is_weighty_ || is_weight;
  std::vector<std::string> names = value_names(tree_, layer, own);
  bool keeps_name = own && !taken.empty() && module_users_of(taken[0]) > 1;
  // What is only reshaped or squashed is still what it was.
  const auto waiting = !own && taken.size() == 1 ? pending_.find(taken[0]) : pending_.end();
  if (names.empty() && waiting != pending_.end() && waiting->second.keeps_name) {
    names = waiting->second.names;
    keeps_name = true;
  }
  if (made.size() == 1) {
    if (const std::string purpose = purpose_of(made[0]); !purpose.empty()) {
      names.insert(names.begin(), purpose);
      keeps_name = true;
    }
    if (uses_[made[0]] == 0 && !own) return done_with(taken);
    if (const std::string wanted = own_name_of(made[0]); !wanted.empty()) {
      names.insert(names.begin(), wanted);
      keeps_name = true;
    }
    return finish(made, code, taken, names, keeps_name, true);
  }

  done_with(taken);
  const bool of_attention =
      module_.path.find("attn") != std::string::npos || module_.path.find("attention") != std::string::npos;
  std::vector<std::string> targets;
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (uses_[made[i]] == 0) {
      targets.push_back("_");
      continue;
    }
    const std::string purpose = purpose_of(made[i]);
    const std::string wanted = !purpose.empty()                   ? purpose
                               : i < source.output_names.size()   ? source.output_names[i]
                               : of_attention && made.size() == 3 ? std::string(1, "qkv"[i])
                               : names.empty() && i < 20          ? std::string(1, static_cast<char>('a' + i))
                                                                  : "y" + std::to_string(i + 1);
    const std::string name = i == 0 && wanted == "x" ? name_for({wanted}, false, read_) : variables_.fresh({wanted});
    flush_readers_of(name);
    variables_.hold(name, made[i]);
    targets.push_back(name);
  }
  state((source.targets ? source.targets(targets) : joined(targets)) + " = " + code.text);
}

// What people call a value for what it is: a mask, or one of several results by its key.
std::string ForwardWriter::own_name_of(const Value& value) const {
  static const std::set<std::string> kBuiltIn{"all",  "any",   "bool", "dict", "dir",  "float", "format", "hash",
                                              "id",   "int",   "iter", "len",  "list", "map",   "max",    "min",
                                              "next", "range", "set",  "str",  "sum",  "type",  "input",  "object"};
  const std::vector<Output>& outputs = tree_.architecture().outputs;
  const auto given = std::ranges::find(outputs, value, &Output::value);
  if (is_root() && outputs.size() > 1 && given != outputs.end())
    return is_python_name(given->name) && !kBuiltIn.contains(given->name) ? given->name : "";
  return tree_.types().of(value).dtype == DType::Bool && tree_.types().of(value).shape.size() > 1 ? "mask" : "";
}

void ForwardWriter::call_module(const SourceModule& called, std::size_t call) {
  const std::vector<Value> taken = calls_.inputs_of(called, call), made = calls_.outputs_of(called, call);
  flush_weighty(taken);
  const auto write = [&] {
    read_.clear();
    depth_ = 0;
    std::vector<std::string> arguments;
    for (const Value& value : taken) arguments.push_back(read(value).text);
    return callee(called) + "(" + joined(arguments) + ")";
  };
  std::string code = write();
  if (code.size() + kOfTarget > room()) {
    flush_all(taken);
    code = write();
  }
  is_weighty_ = true;
  bool branches = !taken.empty() && module_users_of(taken[0]) > 1;
  std::vector<std::string> names = module_names(called);
  if (const std::string purpose = purpose_of(made[0]); !purpose.empty()) {
    names.insert(names.begin(), purpose);
    branches = true;
  }
  if (made.size() == 1) return finish(made, code, taken, names, branches, true);
  done_with(taken);
  std::vector<std::string> targets;
  for (std::size_t i = 0; i < made.size(); ++i) {
    const std::string name = uses_[made[i]] == 0 ? "_"
                             : i == 0            ? name_for(names, branches, read_)
                                                 : variables_.fresh({purpose_of(made[i])});
    if (name != "_") {
      flush_readers_of(name);
      variables_.hold(name, made[i]);
    }
    targets.push_back(name);
  }
  state(joined(targets) + " = " + code);
}

void ForwardWriter::give_results() {
  std::vector<Value> values;
  std::vector<std::string> keys;
  if (is_root()) {
    for (const Output& output : tree_.architecture().outputs) {
      values.push_back(output.value);
      if (!output.name.empty()) keys.push_back(output.name);
    }
  } else {
    values = calls_.outputs_of(module_);
  }
  const auto write = [&] {
    std::vector<std::string> texts;
    for (const Value& value : values) texts.push_back(read(value).text);
    if (keys.size() != texts.size()) return joined(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) texts[i] = python_string(keys[i]) + ": " + texts[i];
    return "{" + joined(texts) + "}";
  };
  if (("return " + write()).size() > kLine) flush_all(values);
  std::string result = write();
  // One value that has a name for this alone needs none.
  std::vector<std::string>& statements = result_.statements;
  const std::string before = result + " = ";
  if (is_python_name(result) && !statements.empty() && statements.back().starts_with(before) &&
      statements.back().size() - before.size() + std::string("return ").size() <= kLine) {
    result = statements.back().substr(before.size());
    statements.pop_back();
  }
  statements.push_back("return " + result);
}

// An axis of a tensor at hand that has the size, or a multiple of it.
std::optional<Python> ForwardWriter::size_at(const Size& size) {
  const auto within = [&](const std::string& name, const Value& value) -> std::optional<Python> {
    const SymbolicShape& shape = tree_.types().of(value).shape;
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      if (shape[axis] == size) {
        note(name);
        return Python(name + ".shape[" + std::to_string(axis) + "]");
      }
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      for (const std::int64_t factor : {2, 3, 4, 5, 6, 7, 8, 16, 32, 64})
        if (shape[axis] == size * Size(factor)) {
          note(name);
          return Python(name + ".shape[" + std::to_string(axis) + "] // " + std::to_string(factor), Binding::Product);
        }
    return std::nullopt;
  };
  for (const Value& value : sized_by_)
    if (const auto name = variables_.of(value))
      if (auto found = within(*name, value)) return found;
  // Rather what the module is given than what lies there by chance.
  for (const Value& value : parameters())
    if (const auto name = variables_.of(value))
      if (auto found = within(*name, value)) return found;
  for (const auto& [name, value] : variables_.latest())
    if (auto found = within(name, value)) return found;
  return std::nullopt;
}

Python ForwardWriter::size(const Size& size) {
  if (const auto value = size.value()) return python_number(std::to_string(*value));
  ++read_sizes_[size.str()];
  if (const auto known = sizes_.find(size.str()); known != sizes_.end()) return Python(known->second);
  if (auto found = size_at(size)) return *found;
  const std::string text = size.str();
  const std::vector<std::string> symbols = size.symbols();
  const auto is_part_of_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && is_part_of_name(text[end])) ++end;
    if (end > i) {
      const std::string word = text.substr(i, end - i);
      if (std::ranges::find(symbols, word) == symbols.end()) {
        result += word;
      } else {
        const auto known = sizes_.find(word);
        auto found = known != sizes_.end() ? std::optional(Python(known->second)) : size_at(Size::symbol(word));
        if (!found) found = size_at_start(word);
        if (!found) throw SizeOutOfReach{&module_, word};
        result += found->receiver();
      }
      i = end;
      continue;
    }
    if (text.compare(i, 2, "//") == 0) {
      result += " // ";
      i += 2;
    } else {
      result += text[i] == '*' ? std::string(" * ") : std::string(1, text[i]);
      ++i;
    }
  }
  return {result, Binding::Sum};
}

}  // namespace

Forward forward_of(const ModuleTree& tree, const Calls& calls, const SourceModule& module, Helpers& helpers) {
  ForwardWriter first(tree, calls, module, helpers);
  Forward forward = first.write();
  const bool repeats = std::ranges::any_of(first.read_sizes(), [](const auto& read) { return read.second > 1; });
  if (!repeats || tree.language() == Language::TorchScript) return forward;
  return ForwardWriter(tree, calls, module, helpers, first.read_sizes()).write();
}

}  // namespace h5bridge::torch_source
