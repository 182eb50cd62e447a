#include "runtime/optimizer_kinds.h"

#include <algorithm>
#include <tuple>
#include <type_traits>

#include "facets/libtorch/tensors.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

using namespace torch::optim;
using Betas = std::tuple<double, double>;

void assign(double& into, const Json& json) { into = json.as_float(); }
void assign(bool& into, const Json& json) { into = json.as_bool(); }
void assign(Betas& into, const Json& json) {
  const Json::Array& pair = json.as_array();
  if (pair.size() != 2) throw MalformedFile("there are " + std::to_string(pair.size()) + " numbers, expected 2");
  into = {pair[0].as_float(), pair[1].as_float()};
}

Json json_of(double value) { return value; }
Json json_of(bool value) { return value; }
Json json_of(const Betas& betas) { return Json::Array{std::get<0>(betas), std::get<1>(betas)}; }

void assign(torch::Tensor& into, const Tensor& from, const torch::Tensor& parameter) {
  if (from.shape() != parameter.sizes().vec())
    throw MalformedFile("it has shape " + to_string(from.shape()) + ", expected " +
                        to_string(Shape(parameter.sizes().vec())));
  into = to_torch(from).to(parameter.device(), parameter.scalar_type());
}
// PyTorch counts steps in a float tensor.
void assign(std::int64_t& into, const Tensor& from, const torch::Tensor&) {
  if (from.element_count() != 1)
    throw MalformedFile("it has shape " + to_string(from.shape()) + ", expected one number");
  into = to_torch(from).to(torch::kInt64).item<std::int64_t>();
}

std::optional<Tensor> tensor_of_slot(const torch::Tensor& slot) {
  return slot.defined() ? std::optional(from_torch(slot)) : std::nullopt;
}
std::optional<Tensor> tensor_of_slot(std::int64_t step) {
  return tensor_of<float>(DType::Float32, {}, {static_cast<float>(step)});
}

template <typename Options>
using Needed = bool (*)(const Options&);

/// A class of LibTorch's with its options and the state of a parameter; rows name its accessors.
template <typename Class, typename Options, typename State>
class KindRow {
 public:
  explicit KindRow(std::string name, Options defaults = Options()) {
    kind_.name = std::move(name);
    kind_.matches = [](const torch::optim::Optimizer& optimizer) {
      return dynamic_cast<const Class*>(&optimizer) != nullptr;
    };
    kind_.make_options = [defaults] { return std::make_unique<Options>(defaults); };
    kind_.make_state = [] { return std::make_unique<State>(); };
    kind_.make = [defaults](const std::vector<OptimizerParamGroup>& groups) {
      return std::make_unique<Class>(groups, defaults);
    };
  }

  template <typename Value>
  KindRow& hyperparameter(const std::string& name, Value& (Options::*access)()) {
    kind_.hyperparameters.push_back({name,
                                     [access](OptimizerOptions& options, const Json& json) {
                                       assign((static_cast<Options&>(options).*access)(), json);
                                     },
                                     [access](const OptimizerOptions& options) {
                                       Options copy = static_cast<const Options&>(options);
                                       return json_of((copy.*access)());
                                     }});
    return *this;
  }
  KindRow& number(const std::string& name, double& (Options::*access)()) {
    return hyperparameter<double>(name, access);
  }
  KindRow& boolean(const std::string& name, bool& (Options::*access)()) { return hyperparameter<bool>(name, access); }
  KindRow& betas(Betas& (Options::*access)()) { return hyperparameter<Betas>("betas", access); }

  KindRow& fixed(Json::Object values) {
    kind_.fixed = std::move(values);
    return *this;
  }

  template <typename Value>
  KindRow& any_slot(const std::string& name, Value& (State::*access)(), Needed<Options> needed) {
    kind_.slots.push_back(
        {name,
         [access](OptimizerParamState& state, const Tensor& tensor, const torch::Tensor& parameter) {
           assign((static_cast<State&>(state).*access)(), tensor, parameter);
         },
         [access](const OptimizerParamState& state) {
           State copy = static_cast<const State&>(state);
           return tensor_of_slot((copy.*access)());
         },
         [needed](const OptimizerOptions& options) { return needed(static_cast<const Options&>(options)); }});
    return *this;
  }
  KindRow& step(std::int64_t& (State::*access)()) { return any_slot<std::int64_t>("step", access, always); }
  KindRow& slot(const std::string& name, torch::Tensor& (State::*access)(), Needed<Options> needed = always) {
    return any_slot<torch::Tensor>(name, access, needed);
  }

  OptimizerKind kind() const { return kind_; }

 private:
  static bool always(const Options&) { return true; }
  OptimizerKind kind_;
};

OptimizerKind sgd() {
  return KindRow<SGD, SGDOptions, SGDParamState>("SGD", SGDOptions(1e-3))
      .number("lr", &SGDOptions::lr)
      .number("momentum", &SGDOptions::momentum)
      .number("dampening", &SGDOptions::dampening)
      .number("weight_decay", &SGDOptions::weight_decay)
      .boolean("nesterov", &SGDOptions::nesterov)
      .fixed({{"maximize", false}, {"foreach", nullptr}, {"differentiable", false}, {"fused", nullptr}})
      .slot("momentum_buffer", &SGDParamState::momentum_buffer)
      .kind();
}

// Adam and AdamW are two classes with the same members.
template <typename Class, typename Options, typename State>
OptimizerKind adam(const std::string& name, bool decoupled_weight_decay) {
  return KindRow<Class, Options, State>(name)
      .number("lr", &Options::lr)
      .betas(&Options::betas)
      .number("eps", &Options::eps)
      .number("weight_decay", &Options::weight_decay)
      .boolean("amsgrad", &Options::amsgrad)
      .fixed({{"maximize", false},
              {"foreach", nullptr},
              {"capturable", false},
              {"differentiable", false},
              {"fused", nullptr},
              {"decoupled_weight_decay", decoupled_weight_decay}})
      .step(&State::step)
      .slot("exp_avg", &State::exp_avg)
      .slot("exp_avg_sq", &State::exp_avg_sq)
      .slot("max_exp_avg_sq", &State::max_exp_avg_sq, [](const Options& options) { return options.amsgrad(); })
      .kind();
}

OptimizerKind rmsprop() {
  return KindRow<RMSprop, RMSpropOptions, RMSpropParamState>("RMSprop")
      .number("lr", &RMSpropOptions::lr)
      .number("momentum", &RMSpropOptions::momentum)
      .number("alpha", &RMSpropOptions::alpha)
      .number("eps", &RMSpropOptions::eps)
      .boolean("centered", &RMSpropOptions::centered)
      .number("weight_decay", &RMSpropOptions::weight_decay)
      .fixed({{"capturable", false}, {"foreach", nullptr}, {"maximize", false}, {"differentiable", false}})
      .step(&RMSpropParamState::step)
      .slot("square_avg", &RMSpropParamState::square_avg)
      .slot("momentum_buffer", &RMSpropParamState::momentum_buffer,
            [](const RMSpropOptions& options) { return options.momentum() > 0; })
      .slot("grad_avg", &RMSpropParamState::grad_avg, [](const RMSpropOptions& options) { return options.centered(); })
      .kind();
}

OptimizerKind adagrad() {
  return KindRow<Adagrad, AdagradOptions, AdagradParamState>("Adagrad")
      .number("lr", &AdagradOptions::lr)
      .number("lr_decay", &AdagradOptions::lr_decay)
      .number("eps", &AdagradOptions::eps)
      .number("weight_decay", &AdagradOptions::weight_decay)
      .number("initial_accumulator_value", &AdagradOptions::initial_accumulator_value)
      .fixed({{"foreach", nullptr}, {"maximize", false}, {"differentiable", false}, {"fused", nullptr}})
      .step(&AdagradParamState::step)
      .slot("sum", &AdagradParamState::sum)
      .kind();
}

}  // namespace

const Hyperparameter* OptimizerKind::find_hyperparameter(std::string_view hyperparameter) const {
  const auto found = std::ranges::find(hyperparameters, hyperparameter, &Hyperparameter::name);
  return found == hyperparameters.end() ? nullptr : &*found;
}

const OptimizerSlot* OptimizerKind::find_slot(std::string_view slot) const {
  const auto found = std::ranges::find(slots, slot, &OptimizerSlot::name);
  return found == slots.end() ? nullptr : &*found;
}

const std::vector<OptimizerKind>& optimizer_kinds() {
  static const std::vector<OptimizerKind> kinds{sgd(), adam<Adam, AdamOptions, AdamParamState>("Adam", false),
                                                adam<AdamW, AdamWOptions, AdamWParamState>("AdamW", true), rmsprop(),
                                                adagrad()};
  return kinds;
}

}  // namespace h5bridge
