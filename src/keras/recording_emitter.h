// Notes what a mapping emits for one call of a layer.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "facets/keras/mapping.h"
#include "model/tensor_type.h"

namespace h5bridge {

class RecordingEmitter final : public KerasEmitter {
 public:
  using NamedTypes = std::vector<std::pair<std::string, TensorType>>;
  /// An axis of a value that something before this call made.
  struct Axis {
    Value value;
    std::int64_t axis;
    TensorType type;  // the value's
  };
  using FindAxis = std::function<std::optional<Axis>(const Size&)>;

  /// `used`: the outputs that something uses. `named`: the inputs that the call gives by name. `find_axis`: where among
  /// all that is made already an axis of some size is.
  RecordingEmitter(const std::vector<TensorType>& inputs, std::vector<SymbolicShape> outputs,
                   const KerasMapping& mapping, std::set<std::int64_t> used = {}, const NamedTypes& named = {},
                   FindAxis find_axis = {});

  const std::vector<SymbolicShape>& input_shapes() const override { return inputs_; }
  const std::vector<SymbolicShape>& output_shapes() const override { return outputs_; }
  Handle input(std::size_t i) const override { return given_.contains(i) ? given_.at(i) : i; }
  const std::vector<std::pair<std::string, Argument>>& named_inputs() const override { return named_; }
  bool are_one(std::size_t i, std::size_t j) const override { return i == j || same_.contains({i, j}); }
  const SymbolicShape& shape(Handle value) const override { return types_.at(value).shape; }
  DType dtype(Handle value) const override { return types_.at(value).dtype; }
  std::optional<std::pair<Handle, std::int64_t>> axis_of_size(const Size& size) override;
  std::optional<DType> integers() const override { return integers_; }
  bool is_used(std::size_t output) const override { return used_.contains(static_cast<std::int64_t>(output)); }
  std::vector<Handle> call(Call call) override;
  Handle layer(const std::string& suffix, const std::string& type, const Attributes& attributes, Handle input) override;
  Results main(Json::Object config, std::vector<Handle> inputs) override;

  /// What are_one() tells.
  void note_values(const std::vector<Value>& inputs);

  /// What is emitted from now on takes input `i` from a Reshape that tells Keras its sizes. Throws Unsupported if more
  /// of them are open than it can leave so.
  void state_sizes(std::size_t i);

  /// Likewise from a cast to another element type.
  void cast_input(std::size_t i, DType dtype) { given_[i] = cast("cast", input(i), dtype); }
  /// A cast behind the layer, named after it with `suffix`.
  Handle cast(const std::string& suffix, Handle value, DType dtype);
  /// Throws Unsupported naming an input by name that no call takes and that is none of the results.
  void refuse_unused_names(const Results& results) const;
  /// What integers() gives.
  void keep_integers(DType dtype) { integers_ = dtype; }

  const std::vector<Call>& emitted() const { return emitted_; }
  /// What each handle stands for. `inputs` are the layer's, those by name after the others; `borrow` gives a value that
  /// was made before, and `call` the outputs of one of the calls.
  template <typename T, typename Borrow, typename Perform>
  std::vector<T> replay(std::vector<T> inputs, Borrow&& borrow, Perform&& call) const {
    std::vector<T> handles = std::move(inputs);
    auto borrowed = borrowed_.begin();
    const auto take_borrowed = [&] {
      for (; borrowed != borrowed_.end() && borrowed->first == handles.size(); ++borrowed)
        handles.push_back(borrow(borrowed->second));
    };
    take_borrowed();
    for (const Call& made : emitted_) {
      for (T& output : call(made, std::as_const(handles))) handles.push_back(std::move(output));
      take_borrowed();
    }
    return handles;
  }

 private:
  void take_constants(Json::Object& config, Call& made) const;
  void take_named(Call& made) const;
  void take_arguments(Json::Object& config, const std::vector<Handle>& inputs, Call& made) const;

  std::vector<SymbolicShape> inputs_;
  std::vector<SymbolicShape> outputs_;
  const KerasMapping& mapping_;
  std::set<std::int64_t> used_;
  std::deque<TensorType> types_;  // of all handles, which whoever composes holds shapes of
  std::vector<std::pair<std::string, Argument>> named_;
  std::set<std::pair<std::size_t, std::size_t>> same_;  // inputs that are one value
  std::vector<Call> emitted_;
  std::map<std::size_t, Handle> given_;  // in place of inputs
  std::optional<DType> integers_;
  FindAxis find_axis_;
  std::vector<std::pair<Handle, Axis>> borrowed_;  // in the order of their handles
};

}  // namespace h5bridge
