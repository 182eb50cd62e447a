#include "pytorch/torchscript/interpreter.h"

#include <algorithm>
#include <map>

#include "facets/aten/branch.h"
#include "facets/aten/row.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "pytorch/torchscript/passage.h"
#include "pytorch/torchscript/values.h"

namespace h5bridge::script {
namespace {

using aten::ScriptBlock;
using aten::ScriptNode;
using Given = std::vector<ScriptValue>;

constexpr std::size_t kMostSteps = 1'000'000;

class Interpreter {
 public:
  Interpreter(const aten::ScriptGraph& script, const Pt2Model& state) : script_(script), made_(state) {}

  Passage run(const std::vector<Input>& inputs) {
    made_.passage.graph.module = script_.type.substr(script_.type.rfind('.') + 1);
    made_.passage.graph.modules = script_.modules;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::string& name = inputs[i].name;
      made_.passage.graph.inputs.push_back(name);
      made_.passage.graph.values[name] = {inputs[i].dtype, inputs[i].shape};
      values_[script_.forward.inputs[i]] = TensorName{name};
    }
    modules_.push_back({"", script_.type, "0"});
    try {
      run_block(script_.forward);
      for (const std::size_t output : script_.forward.outputs) add_outputs(values_.at(output), "");
    } catch (const Error& error) {
      made_.passage.problem = error.what();
      if (made_.passage.problem.empty()) made_.passage.problem = "it cannot be followed";
      if (!made_.passage.problem.starts_with("operator ") &&
          !modules_.back().path.empty())  // the one that was entered last
        made_.passage.problem = "in " + described(modules_.back()) + ": " + made_.passage.problem;
    }
    made_.note_uses();
    return std::move(made_.passage);
  }

 private:
  void run_block(const ScriptBlock& block) {
    for (const ScriptNode& node : block.nodes) run_node(node);
  }

  Given given_to(const ScriptNode& node) const {
    Given result;
    for (const std::size_t input : node.inputs) {
      const auto found = values_.find(input);
      result.push_back(found == values_.end() ? ScriptValue(Unknown{"a value that nothing makes"}) : found->second);
    }
    return result;
  }

  void give(const ScriptNode& node, std::size_t output, ScriptValue value) {
    if (output < node.outputs.size()) values_[node.outputs[output]] = std::move(value);
  }

  void run_node(const ScriptNode& node) {
    if (++steps_ > kMostSteps) throw Unsupported("its forward takes more than 1000000 steps");
    const std::string& kind = node.kind;
    if (kind == "constant") return give(node, 0, node.constant);
    if (kind == "unknown") return give(node, 0, Unknown{node.text});
    if (kind == "tensor") {
      ScriptValue value = tensor(node.text);
      if (!value.tensor() && !value.size()) doubles_.insert(node.outputs.at(0));
      return give(node, 0, std::move(value));
    }
    if (kind == "tensors") {
      ScriptList all;
      for (const Json& name : node.constant.as_array()) all.push_back(tensor(name.as_string()));
      return give(node, 0, std::move(all));
    }
    if (kind == "call") return call(node);
    if (kind == "prim::If") return choose(node);
    if (kind == "prim::Loop") return repeat(node);
    Given given = given_to(node);
    if (kind == "prim::ListConstruct" || kind == "prim::TupleConstruct") return give(node, 0, std::move(given));
    if (kind == "prim::ListUnpack" || kind == "prim::TupleUnpack") return unpack(node, given.at(0));
    if (kind == "prim::DictConstruct") return dict(node, given);
    if (kind == "prim::RaiseException") throw Unsupported("its forward raises an exception for such inputs");
    if (kind == "prim::unchecked_cast" || kind == "prim::unchecked_unwrap_optional" || kind == "aten::_unwrap_optional")
      return give(node, 0, given.at(0));
    if (kind == "prim::Uninitialized") return give(node, 0, Unknown{"a value that is never set"});
    if (kind == "prim::Print" || kind == "aten::warn" || kind == "prim::profile") return;
    if (kind == "aten::is_grad_enabled") return give(node, 0, Json(true));  // no shorter ways for evaluation alone
    if (kind == "aten::is_autocast_enabled" || kind == "aten::is_autocast_cpu_enabled")
      return give(node, 0, Json(false));
    if (kind == "aten::format") return give(node, 0, Unknown{"a text"});
    if (kind == "aten::__is__" || kind == "aten::__isnot__") return compare_identity(node, given);
    if (kind == "aten::append") return append(node, given);
    if (auto value = of_type(kind, given)) return give(node, 0, *std::move(value));
    if (std::ranges::none_of(given, has_tensor) || kind.starts_with("prim::"))
      if (auto value = computed(kind, given)) return give(node, 0, *std::move(value));
    if ((kind == "aten::__getitem__" || kind == "aten::add" || kind == "aten::slice" || kind == "aten::len") &&
        given.at(0).list())
      if (auto value = computed(kind, given)) return give(node, 0, *std::move(value));
    if (const std::string* asked = given.empty() ? nullptr : given[0].tensor();
        asked && (kind == "aten::Bool" || kind == "aten::is_nonzero"))
      return give(node, 0, TruthOf{*asked});
    static const std::set<std::string> kValues{"aten::Int",  "aten::Float",         "aten::IntImplicit",
                                               "aten::item", "aten::FloatImplicit", "aten::ScalarImplicit"};
    if (kValues.contains(kind)) refuse(kind, "makes the graph depend on a tensor's values");
    operate(node, given);
  }

  /// A constant of one number is that number.
  ScriptValue tensor(const std::string& name) const {
    const Pt2Tensor* own = made_.find_own(name);
    if (!own) throw MalformedFile("holds no tensor \"" + shortened(name) + "\", which its code reads");
    const Tensor& tensor = own->tensor;
    if (name.starts_with(':') && tensor.rank() == 0) {
      if (tensor.dtype() == DType::Int64) return Json(tensor.values<std::int64_t>().at(0));
      if (tensor.dtype() == DType::Float64) return Json(tensor.values<double>().at(0));
    }
    return TensorName{name};
  }

  void call(const ScriptNode& node) {
    const ScriptBlock& body = node.blocks.at(0);
    const Given given = given_to(node);
    for (std::size_t i = 0; i < given.size(); ++i) values_[body.inputs.at(i)] = given[i];
    const bool is_module = !node.type.empty() && node.text != modules_.back().path;
    if (is_module) modules_.push_back({node.text, node.type, made_.next_call()});
    run_block(body);
    if (is_module) modules_.pop_back();
    for (std::size_t i = 0; i < node.outputs.size(); ++i) give(node, i, values_.at(body.outputs.at(i)));
  }

  void choose(const ScriptNode& node) {
    const ScriptValue condition = given_to(node).at(0);
    if (const auto* decided = std::get_if<TruthOf>(&condition.held)) return choose_by(node, decided->tensor);
    const ScriptBlock& taken = node.blocks.at(condition.truth() ? 0 : 1);
    run_block(taken);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) give(node, i, value_of(taken.outputs.at(i)));
  }

  // Both ways are followed, and of what they give one is taken when the network runs.
  void choose_by(const ScriptNode& node, const std::string& predicate) {
    const std::size_t begin = made_.passage.graph.operations.size();
    std::vector<ScriptList> given(2);
    ++undecided_;
    for (std::size_t way = 0; way < 2; ++way) {
      const ScriptBlock& block = node.blocks.at(way);
      run_block(block);
      for (const std::size_t output : block.outputs) given[way].push_back(value_of(output));
    }
    --undecided_;
    aten::refuse_changes_outside(made_.passage.graph.operations, begin);
    for (std::size_t i = 0; i < node.outputs.size(); ++i)
      give(node, i, one_of(predicate, given[0].at(i), given[1].at(i)));
  }

  ScriptValue one_of(const std::string& predicate, const ScriptValue& one, const ScriptValue& other) {
    const std::string *a = one.tensor(), *b = other.tensor();
    if (a && b && *a == *b) return one;
    if (a && b) {
      aten::Operation operation{.name = {},
                                .target = "higher_order.cond",
                                .arguments = {{"pred", predicate}, {"input", *a}, {"other", *b}},
                                .outputs = {},
                                .modules = modules_};
      made_.add_output(operation, true);
      operation.name = *operation.outputs[0];
      made_.add(std::move(operation));
      return TensorName{made_.passage.graph.operations.back().name};
    }
    const Json *constant = std::get_if<Json>(&one.held), *same = std::get_if<Json>(&other.held);
    if (constant && same && *constant == *same) return one;
    const ScriptList *list = one.list(), *others = other.list();
    if (!list || !others || list->size() != others->size()) return Unknown{"what a tensor's values decide on"};
    ScriptList result;
    for (std::size_t i = 0; i < list->size(); ++i) result.push_back(one_of(predicate, (*list)[i], (*others)[i]));
    return result;
  }

  ScriptValue value_of(std::size_t number) const {
    const auto found = values_.find(number);
    return found == values_.end() ? ScriptValue(Unknown{"a value that nothing makes"}) : found->second;
  }

  /// prim::Loop: how often at most, whether at all, and what goes from turn to turn.
  void repeat(const ScriptNode& node) {
    Given given = given_to(node);
    const std::int64_t most = given.at(0).integer();
    bool goes_on = given.at(1).truth();
    std::vector<ScriptValue> carried(given.begin() + 2, given.end());
    const ScriptBlock& body = node.blocks.at(0);
    for (std::int64_t turn = 0; turn < most && goes_on; ++turn) {
      values_[body.inputs.at(0)] = Json(turn);
      for (std::size_t i = 0; i < carried.size(); ++i) values_[body.inputs.at(i + 1)] = carried[i];
      run_block(body);
      goes_on = value_of(body.outputs.at(0)).truth();
      for (std::size_t i = 0; i < carried.size(); ++i) carried[i] = value_of(body.outputs.at(i + 1));
      if (++steps_ > kMostSteps) throw Unsupported("its forward takes more than 1000000 steps");
    }
    for (std::size_t i = 0; i < carried.size(); ++i) give(node, i, carried[i]);
  }

  void unpack(const ScriptNode& node, const ScriptValue& value) {
    const ScriptList* list = value.list();
    if (!list || list->size() < node.outputs.size()) throw Unsupported("takes apart what is no list of that length");
    for (std::size_t i = 0; i < node.outputs.size(); ++i) give(node, i, (*list)[i]);
  }

  void dict(const ScriptNode& node, const Given& given) {
    ScriptList pairs{Json(":dict")};
    pairs.insert(pairs.end(), given.begin(), given.end());
    give(node, 0, std::move(pairs));
  }

  void append(const ScriptNode& node, const Given& given) {
    ScriptList* list = given.at(0).list();
    if (!list) throw Unsupported("appends to what is no list");
    if (undecided_ > 0) throw Unsupported("appends to a list where a tensor's values decide whether");
    list->push_back(given.at(1));
    give(node, 0, given.at(0));
  }

  void compare_identity(const ScriptNode& node, const Given& given) {
    const bool is_none = given.at(0).is_none() || given.at(1).is_none();
    const std::string *a = given.at(0).tensor(), *b = given.at(1).tensor();
    bool is_same = given.at(0).is_none() && given.at(1).is_none();
    if (!is_none) {
      if (!a || !b) throw Unsupported("asks whether two values are one object");
      is_same = *a == *b;
    }
    give(node, 0, Json(is_same == (node.kind == "aten::__is__")));
  }

  /// What is asked of a tensor's type.
  std::optional<ScriptValue> of_type(const std::string& kind, const Given& given) const {
    const std::string* tensor = given.empty() ? nullptr : given[0].tensor();
    if (!tensor) return std::nullopt;
    if (kind == "aten::size" && given.size() == 1) {
      ScriptList sizes;
      for (const Size& size : made_.shape_of(*tensor)) sizes.emplace_back(size);
      return sizes;
    }
    if (kind == "aten::size") {
      const SymbolicShape& shape = made_.shape_of(*tensor);
      std::int64_t axis = given[1].integer();
      if (axis < 0) axis += static_cast<std::int64_t>(shape.size());
      if (axis < 0 || axis >= static_cast<std::int64_t>(shape.size()))
        throw MalformedFile("asks for the size of an axis that its tensor does not have");
      return shape[static_cast<std::size_t>(axis)];
    }
    if (kind == "aten::dim") return Json(static_cast<std::int64_t>(made_.shape_of(*tensor).size()));
    if (kind == "aten::len") return made_.shape_of(*tensor).at(0);
    if (kind == "aten::numel") {
      Size count = 1;
      for (const Size& size : made_.shape_of(*tensor)) count = count * size;
      return count;
    }
    if (kind == "aten::is_floating_point") return Json(is_floating_point(made_.type_of(*tensor).dtype.value()));
    if (kind == "prim::dtype") {
      if (const auto number = dtype_number(made_.type_of(*tensor).dtype.value())) return Json(*number);
    }
    if (kind == "prim::device") return Json("cpu");
    if (kind == "prim::is_cuda" || kind == "prim::is_nested" || kind == "aten::is_complex") return Json(false);
    if (kind == "prim::requires_grad") return Json(made_.find_own(*tensor) != nullptr);
    return std::nullopt;
  }

  static bool is_fallback(const aten::ScriptArgument& schema, const aten::Argument& argument) {
    const Json* json = std::get_if<Json>(&argument.value);
    if (!json || !schema.fallback) return false;
    return *json == *schema.fallback ||
           (json->is_number() && schema.fallback->is_number() && json->as_float() == schema.fallback->as_float());
  }

  static std::string described(const aten::ModuleCall& module) {
    return shortened(module.path) + " (" + shortened(module.type.substr(module.type.rfind('.') + 1)) + ")";
  }

  [[noreturn]] void refuse(const std::string& target, const std::string& why) const {
    const aten::ModuleCall& module = modules_.back();
    throw Unsupported("operator " + shortened(target) + (module.path.empty() ? "" : " in " + described(module)) + ": " +
                      why);
  }

  void operate(const ScriptNode& node, const Given& given) {
    constexpr std::string_view kAten = "aten::";
    if (!node.kind.starts_with(kAten)) refuse(node.kind, "no layer is known that it is");
    aten::Operation operation;
    operation.target = "aten." + node.kind.substr(kAten.size()) + ".default";
    // Of padding that is a word; what it is called of ATen's tells its axes.
    if (const ScriptList* stride = node.kind == "aten::_convolution_mode" ? given.at(3).list() : nullptr)
      operation.target = "aten.conv" + std::to_string(stride->size()) + "d.padding";
    try {
      for (std::size_t i = 0; i < given.size() && i < node.arguments.size(); ++i) {
        aten::Argument argument = PassageBuilder::argument_of(node.arguments[i], given[i]);
        if (!is_fallback(node.arguments[i], argument)) operation.arguments.push_back(std::move(argument));
      }
    } catch (const Unsupported& error) {
      refuse(operation.target, error.what());
    }
    refuse_promotion(node, given, operation.target);
    made_.prepare(operation);
    operation.modules = modules_;
    const std::size_t count = node.gives_list ? made_.count_of_outputs(operation) : node.outputs.size();
    for (std::size_t i = 0; i < count; ++i) made_.add_output(operation, node.gives_list || node.is_used.at(i));
    operation.name = count ? *operation.outputs[0] : operation.target;
    if (aten::is_in_place(operation.plain_name()) && changes_counter(operation)) {
      give(node, 0, given.at(0));
      return;
    }
    ScriptList all;
    for (const auto& output : operation.outputs) all.emplace_back(TensorName{*output});
    made_.add(std::move(operation));
    if (node.gives_list) return give(node, 0, std::move(all));
    for (std::size_t i = 0; i < all.size(); ++i) give(node, i, all[i]);
  }

  /// A tensor of one float64 makes float64 of integers, as the number that it is here would not.
  void refuse_promotion(const ScriptNode& node, const Given& given, const std::string& target) const {
    const bool has_double =
        std::ranges::any_of(node.inputs, [&](std::size_t input) { return doubles_.contains(input); });
    for (const ScriptValue& value : given)
      if (const std::string* name = value.tensor();
          has_double && name && made_.type_of(*name).dtype && !is_floating_point(*made_.type_of(*name).dtype))
        refuse(target, "takes a float64 constant with integers");
  }

  /// Batches are not counted in evaluation.
  bool changes_counter(const aten::Operation& operation) const {
    const auto* target = std::get_if<std::string>(&operation.arguments.at(0).value);
    return target && target->ends_with("num_batches_tracked") && made_.find_own(*target);
  }

  void add_outputs(const ScriptValue& value, const std::string& key) {
    if (const std::string* tensor = value.tensor()) {
      made_.passage.graph.outputs.push_back({key, *tensor});
      return;
    }
    const ScriptList* list = value.list();
    if (value.is_none()) return;
    if (!list) throw Unsupported("forward returns what is no tensor");
    if (!list->empty() && std::get_if<Json>(&list->front().held) && (*list)[0].size() == std::nullopt &&
        std::get<Json>(list->front().held) == Json(":dict")) {
      for (std::size_t i = 1; i + 1 < list->size(); i += 2)
        add_outputs((*list)[i + 1], json_of((*list)[i]).as_string());
      return;
    }
    for (const ScriptValue& element : *list) add_outputs(element, key);
  }

  const aten::ScriptGraph& script_;
  PassageBuilder made_;
  std::map<std::size_t, ScriptValue> values_;
  std::vector<aten::ModuleCall> modules_;
  std::set<std::size_t> doubles_;  // constants of one float64 that are numbers here
  std::size_t steps_ = 0;
  std::size_t undecided_ = 0;  // of the choices that it is within
};

}  // namespace

Passage follow(const aten::ScriptGraph& script, const Pt2Model& state, const std::vector<Input>& inputs) {
  Passage passage = Interpreter(script, state).run(inputs);
  passage.inputs = inputs;
  return passage;
}

}  // namespace h5bridge::script
