#include "pytorch/python_source/purposes.h"

#include <algorithm>
#include <set>

#include "facets/registry.h"

namespace h5bridge::torch_source {
namespace {

// A value that comes back so many calls later beside what was made of it has skipped what lies between.
constexpr std::size_t kFarBack = 6;

// What a call of these makes is called so, and so is what is made of that alone.
const std::map<std::string, std::string> kMakes{{"arange", "positions"}, {"cos", "cos"}, {"sin", "sin"}};
const std::set<std::string> kProducts{"matmul", "bmm", "baddbmm", "einsum"};
const std::set<std::string> kWeightings{"Softmax", "SoftmaxOverAxes"};
const std::set<std::string> kGates{"Sigmoid", "Hardsigmoid"};

class PurposeFinder {
 public:
  explicit PurposeFinder(const ModuleTree& tree) : tree_(tree), nodes_(tree.architecture().nodes) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      numbers_[nodes_[i].name] = i;
      for (const Value& value : nodes_[i].values()) users_[value].push_back(i);
    }
  }

  std::map<Value, std::string> find() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      name_operands(i);
      if (kWeightings.contains(type_of(i))) name_attention(i);
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (const auto made = kMakes.find(type_of(i)); made != kMakes.end()) name_onwards({nodes_[i].name}, made->second);
      if (type_of(i) == "cos" || type_of(i) == "sin") name_angles(nodes_[i].values().at(0));
      if (type_of(i) == "cat") name_skips(i);
      if (kGates.contains(type_of(i)))
        for (const std::size_t user : users_of({nodes_[i].name}))
          if (type_of(user) == "mul") name({nodes_[i].name}, "gate");
    }
    std::map<Value, std::string> result;
    for (const auto& [value, words] : words_)
      if (words.size() == 1)
        result[value] = *words.begin();
      else if (words == std::set<std::string>{"key", "query", "value"} && !given_.contains(value))
        result[value] = "qkv";
    return result;
  }

 private:
  const std::string& type_of(std::size_t node) const { return tree_.layer_of(node).type; }
  bool is_function(std::size_t node) const { return !tree_.module_of(tree_.layer_of(node)); }
  const std::vector<std::size_t>& users_of(const Value& value) const {
    static const std::vector<std::size_t> none;
    const auto found = users_.find(value);
    return found == users_.end() ? none : found->second;
  }
  std::optional<std::size_t> maker_of(const Value& value) const {
    const auto found = numbers_.find(value.node);
    return found == numbers_.end() ? std::nullopt : std::optional(found->second);
  }
  bool has_one_output(std::size_t node) const { return tree_.types().outputs_of(nodes_[node].name).size() == 1; }

  void name(const Value& value, const std::string& word) { words_[value].insert(word); }

  // Along functions that take nothing else.
  void name_onwards(Value value, const std::string& word) {
    for (;;) {
      name(value, word);
      const auto& users = users_of(value);
      if (users.size() != 1 || !is_function(users[0]) || nodes_[users[0]].values().size() != 1 ||
          !has_one_output(users[0]))
        return;
      value = {nodes_[users[0]].name};
    }
  }

  // The value, what it comes from, as far as functions of that alone made it, and what lies between.
  void name_back(const Value& value, const std::string& word) {
    std::map<Value, std::set<Value>> sources;
    const std::set<Value> found = sources_of(value, sources);
    given_.insert(value);
    name(value, word);
    if (found.size() != 1) return;
    for (const auto& [between, own] : sources)
      if (own == found && !tree_.types().of(between).shape.empty()) name(between, word);
  }

  // What was not made by a function with one result; what is made of no value at all is none.
  std::set<Value> sources_of(const Value& value, std::map<Value, std::set<Value>>& known) const {
    if (const auto found = known.find(value); found != known.end()) return found->second;
    std::set<Value> result;
    const auto maker = maker_of(value);
    if (!maker || !is_function(*maker) || !has_one_output(*maker)) {
      if (!maker || !nodes_[*maker].values().empty()) result.insert(value);
    } else {
      for (const Value& taken : nodes_[*maker].values()) result.merge(sources_of(taken, known));
    }
    known[value] = result;
    return result;
  }

  // As an attention's operands are called.
  void name_operands(std::size_t node) {
    const std::vector<Operand>& operands = Registry::instance().type_of(tree_.layer_of(node)).operands;
    const std::vector<Node::Argument>& arguments = nodes_[node].arguments;
    bool is_attention = false;
    for (std::size_t i = 0; i < std::min(arguments.size(), operands.size()); ++i) {
      const auto* given = std::get_if<Value>(&arguments[i]);
      if (!given) continue;
      const std::string& operand = operands[i].name;
      if (operand == "query" || operand == "key" || operand == "value") {
        name_back(*given, operand);
        is_attention = is_attention || operand == "key";
      } else if (operand.find("mask") != std::string::npos) {
        name(*given, "mask");
      }
    }
    if (is_attention && is_function(node)) name_onwards({nodes_[node].name}, kAttended);
  }

  // softmax(query @ key) @ value, with what scales and masks the scores.
  void name_attention(std::size_t softmax) {
    const std::optional<std::size_t> second = weighted_by({nodes_[softmax].name});
    std::set<Value> scores, others;
    const std::optional<std::size_t> first = product_behind(nodes_[softmax].values().at(0), scores, others);
    if (!second || !first) return;
    for (const Value& value : scores) name(value, "scores");
    for (const Value& value : others)
      if (is_of_mask(value)) name(value, "mask");
    const std::vector<Value> factors = nodes_[*first].values();
    if (factors.size() >= 2) {
      name_back(factors[factors.size() - 2], "query");
      name_back(factors.back(), "key");
    }
    name_onwards({nodes_[*second].name}, kAttended);
  }

  // The product of weights and values, whose other factor is given its name.
  std::optional<std::size_t> weighted_by(Value weights) {
    std::vector<Value> passed;
    for (;;) {
      passed.push_back(weights);
      const auto& users = users_of(weights);
      if (users.size() != 1 || !has_one_output(users[0])) return std::nullopt;
      const std::vector<Value> values = nodes_[users[0]].values();
      if (kProducts.contains(type_of(users[0])) && values.size() == 2) {
        for (const Value& value : passed) name(value, "weights");
        name_back(values[0] == weights ? values[1] : values[0], "value");
        return users[0];
      }
      if (values.size() != 1) return std::nullopt;
      weights = {nodes_[users[0]].name};
    }
  }

  std::optional<std::size_t> product_behind(const Value& value, std::set<Value>& passed,
                                            std::set<Value>& others) const {
    const auto maker = maker_of(value);
    if (!maker || !has_one_output(*maker)) return std::nullopt;
    if (kProducts.contains(type_of(*maker))) {
      passed.insert(value);
      return maker;
    }
    if (!is_function(*maker)) return std::nullopt;
    std::optional<std::size_t> found;
    for (const Value& taken : nodes_[*maker].values()) {
      const auto product = product_behind(taken, passed, others);
      if (product)
        found = product;
      else
        others.insert(taken);
    }
    if (found) passed.insert(value);
    return found;
  }

  bool is_of_mask(const Value& value) const {
    std::map<Value, std::set<Value>> known;
    const std::set<Value> sources = sources_of(value, known);
    return !sources.empty() && std::ranges::all_of(sources, [](const Value& source) {
      return source.node.find("mask") != std::string::npos;
    });
  }

  void name_angles(const Value& value) {
    name(value, "angles");
    const auto maker = maker_of(value);
    if (!maker || type_of(*maker) != "cat") return;
    for (const Value& taken : nodes_[*maker].values()) name(taken, "angles");
  }

  void name_skips(std::size_t node) {
    const std::vector<Value> joined = nodes_[node].values();
    if (joined.size() != 2) return;
    for (const Value& value : joined) {
      const Value& other = value == joined[0] ? joined[1] : joined[0];
      const auto maker = maker_of(value), late = maker_of(other);
      if (maker && late && *maker + kFarBack < *late && users_of(value).size() > 1) name(value, kSkip);
    }
  }

  const ModuleTree& tree_;
  const std::vector<Node>& nodes_;
  std::map<std::string, std::size_t> numbers_;
  std::map<Value, std::vector<std::size_t>> users_;
  std::map<Value, std::set<std::string>> words_;
  std::set<Value> given_;  // to attentions, as they are
};

}  // namespace

std::map<Value, std::string> purposes_of(const ModuleTree& tree) { return PurposeFinder(tree).find(); }

}  // namespace h5bridge::torch_source
