#include <cmath>
#include <limits>

#include "facets/keras/composition.h"
#include "h5bridge/error.h"

namespace h5bridge::dot_product_attention {
namespace {

using Handle = KerasEmitter::Handle;

// What counts as no score at all. It is finite, so that training is not spoilt where nothing is left of a query's; but
// a mask that is added may have smaller numbers.
constexpr double kNone = -1e30;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Keras's function takes no mask that is added, and gives the mean of all values where PyTorch gives zeros: softmax is
// written out.
class Attention {
 public:
  Attention(const Attributes& a, KerasEmitter& emitter)
      : a_(a), emitter_(emitter), steps_(emitter), steps_first_(a.boolean("steps_first")) {}

  Handle write() {
    const Handle query = steps_.elementwise("Multiply", {emitter_.input(0), Json(scale())});
    const Handle key = for_each_query(emitter_.input(1));
    const Handle value = for_each_query(emitter_.input(2));
    Handle scores = multiplied(query, key);
    std::optional<Handle> counts;
    if (a_.boolean("is_causal")) {
      const std::int64_t rank = steps_.rank(scores);
      counts =
          steps_.elementwise("LessEqual", {steps_.positions(scores, rank - 1), steps_.positions(scores, rank - 2)});
    }
    if (has_mask()) counts = masked(scores, counts);
    if (counts) scores = steps_.where(*counts, scores, Json(has_mask() && !is_truth() ? -kInfinity : kNone));
    Handle weights = steps_.apply("Softmax", {scores}, steps_.shape(scores), {{"axis", -1}}, kNN);
    if (has_mask()) weights = steps_.where(*counts, weights, Json(0.0));
    return Composition(emitter_).last("Einsum", {weights, value},
                                      {{"subscripts", steps_first_ ? "...hqk,...khd->...qhd" : "...qk,...kd->...qd"}});
  }

 private:
  double scale() const {
    if (!a_.is_none("scale")) return a_.number("scale");
    const Size& features = emitter_.input_shapes().at(0).back();
    if (!features.value() || *features.value() < 1)
      throw Unsupported("the number of its features, " + features.str() + ", is open");
    return 1.0 / std::sqrt(static_cast<double>(*features.value()));
  }

  Handle for_each_query(Handle x) {
    if (!a_.boolean("enable_gqa")) return x;
    const std::int64_t axis = steps_.rank(x) - (steps_first_ ? 2 : 3);
    SymbolicShape shape = steps_.shape(x);
    const Size heads = emitter_.input_shapes().at(0)[static_cast<std::size_t>(axis)];
    if (shape[axis] == heads) return x;
    const std::int64_t repeats = heads.value().value() / shape[axis].value().value();
    shape[axis] = heads;
    return steps_.apply("Repeat", {x}, std::move(shape), {{"repeats", repeats}, {"axis", axis}});
  }

  // (..., heads, queries, keys), or without heads.
  Handle multiplied(Handle query, Handle key) {
    const SymbolicShape &of_query = steps_.shape(query), &of_key = steps_.shape(key);
    SymbolicShape shape = of_query;
    if (steps_first_) std::swap(shape[shape.size() - 2], shape[shape.size() - 3]);
    shape.back() = of_key[of_key.size() - (steps_first_ ? 3 : 2)];
    return steps_.apply("Einsum", {query, key}, std::move(shape),
                        {{"subscripts", steps_first_ ? "...qhd,...khd->...hqk" : "...qd,...kd->...qk"}});
  }

  bool has_mask() const { return emitter_.inputs().size() > 3; }
  bool is_truth() const { return emitter_.dtype(emitter_.input(3)) == DType::Bool; }

  // Which scores count; a mask of numbers is added to them.
  Handle masked(Handle& scores, std::optional<Handle> counts) {
    Handle kept = emitter_.input(3);
    if (!is_truth()) {
      scores = steps_.elementwise("Add", {scores, kept});
      kept = steps_.elementwise("Greater", {kept, Json(-kInfinity)});
    }
    return counts ? steps_.elementwise("LogicalAnd", {kept, *counts}) : kept;
  }

  const Attributes& a_;
  KerasEmitter& emitter_;
  Composition steps_;
  bool steps_first_;
};

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  KerasMapping mapping = write_only(operation("scaled_dot_product_attention", "Einsum"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    return Attention(a, emitter).write();
  };
  return {mapping};
}

}  // namespace h5bridge::dot_product_attention
