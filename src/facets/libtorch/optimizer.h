// PyTorch's optimizers as LibTorch has them: hyperparameters and state by the names that torch.optim gives them. Each
// kind's rows are in its folder of optimizers/.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

struct Hyperparameter {
  std::string name;
  std::function<void(torch::optim::OptimizerOptions&, const Json&)> set;
  std::function<Json(const torch::optim::OptimizerOptions&)> get;
};

/// An entry of a parameter's state.
struct OptimizerSlot {
  std::string name;
  /// Throws MalformedFile if the tensor does not fit the parameter.
  std::function<void(torch::optim::OptimizerParamState&, const Tensor&, const torch::Tensor& parameter)> set;
  /// nullopt if there is none yet.
  std::function<std::optional<Tensor>(const torch::optim::OptimizerParamState&)> get;
  /// Whether a state is of no use without it.
  std::function<bool(const torch::optim::OptimizerOptions&)> needed;
};

struct OptimizerKind {
  std::string name;  // a class of torch.optim
  std::vector<Hyperparameter> hyperparameters;
  Json::Object fixed;  // the hyperparameters that only PyTorch has, at the value which means what LibTorch does
  std::vector<OptimizerSlot> slots;
  std::function<bool(const torch::optim::Optimizer&)> matches;
  std::function<std::unique_ptr<torch::optim::OptimizerOptions>()> make_options;
  std::function<std::unique_ptr<torch::optim::OptimizerParamState>()> make_state;
  std::function<std::unique_ptr<torch::optim::Optimizer>(const std::vector<torch::optim::OptimizerParamGroup>&)> make;

  const Hyperparameter* find_hyperparameter(std::string_view hyperparameter) const;
  const OptimizerSlot* find_slot(std::string_view slot) const;
};

// How a value of LibTorch's is set from a file's, and a file's got from it.
using Betas = std::tuple<double, double>;

void assign(double& into, const Json& json);
void assign(bool& into, const Json& json);
void assign(Betas& into, const Json& json);
Json json_of(double value);
Json json_of(bool value);
Json json_of(const Betas& betas);
void assign(torch::Tensor& into, const Tensor& from, const torch::Tensor& parameter);
/// PyTorch counts steps in a float tensor.
void assign(std::int64_t& into, const Tensor& from, const torch::Tensor& parameter);
std::optional<Tensor> tensor_of_slot(const torch::Tensor& slot);
std::optional<Tensor> tensor_of_slot(std::int64_t step);

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
    kind_.make = [defaults](const std::vector<torch::optim::OptimizerParamGroup>& groups) {
      return std::make_unique<Class>(groups, defaults);
    };
  }

  template <typename Value>
  KindRow& hyperparameter(const std::string& name, Value& (Options::*access)()) {
    kind_.hyperparameters.push_back({name,
                                     [access](torch::optim::OptimizerOptions& options, const Json& json) {
                                       assign((static_cast<Options&>(options).*access)(), json);
                                     },
                                     [access](const torch::optim::OptimizerOptions& options) {
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
         [access](torch::optim::OptimizerParamState& state, const Tensor& tensor, const torch::Tensor& parameter) {
           assign((static_cast<State&>(state).*access)(), tensor, parameter);
         },
         [access](const torch::optim::OptimizerParamState& state) {
           State copy = static_cast<const State&>(state);
           return tensor_of_slot((copy.*access)());
         },
         [needed](const torch::optim::OptimizerOptions& options) {
           return needed(static_cast<const Options&>(options));
         }});
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

}  // namespace h5bridge
