#include "keras/to_keras_2/recipes.h"

#include <algorithm>
#include <array>
#include <numbers>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "h5bridge/error.h"
#include "keras/to_keras_2/building.h"
#include "keras/to_keras_2/calls.h"
#include "keras/to_keras_2/einsum_in_parts.h"
#include "keras/to_keras_2/windows.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

using Config = Json::Object;
using Args = Json::Array;

double number(const Config& config, const char* name, double otherwise) {
  const Json* value = config.find(name);
  return value && !value->is_null() ? value->as_float() : otherwise;
}

std::int64_t axis_in(const Config& config, std::int64_t otherwise) {
  const Json* axis = config.find("axis");
  return axis ? axis->as_integer() : otherwise;
}

// --- Activations

void hard_silu(Parts& parts, const Config&, const Args& args) {
  const Json shifted = parts.binary("Add", args[0], 3.0);
  const Json gate = parts.binary("Divide", parts.operation("Relu6", shifted), 6.0);
  parts.binary("Multiply", args[0], gate);
}

void hard_tanh(Parts& parts, const Config&, const Args& args) {
  parts.operation("Clip", args[0], {{"x_min", -1.0}, {"x_max", 1.0}});
}

void log_sigmoid(Parts& parts, const Config&, const Args& args) { parts.operation("LogSigmoid", args[0]); }

void log_softmax(Parts& parts, const Config& config, const Args& args) {
  parts.operation("LogSoftmax", args[0], {{"axis", axis_in(config, -1)}});
}

void leaky_relu(Parts& parts, const Config&, const Args& args) {
  parts.operation("LeakyRelu", args[0], {{"negative_slope", 0.2}});
}

void relu6(Parts& parts, const Config&, const Args& args) { parts.operation("Relu6", args[0]); }

void celu(Parts& parts, const Config& config, const Args& args) {
  const double alpha = number(config, "alpha", 1);
  const Json exponent = parts.binary("Divide", parts.binary("Minimum", args[0], 0.0), alpha);
  const Json below = parts.binary("Multiply", parts.operation("Expm1", exponent), alpha);
  parts.binary("Add", parts.binary("Maximum", args[0], 0.0), below);
}

void tanh_shrink(Parts& parts, const Config&, const Args& args) {
  parts.binary("Subtract", args[0], parts.operation("Tanh", args[0]));
}

void soft_shrink(Parts& parts, const Config& config, const Args& args) {
  const double threshold = number(config, "threshold", 0.5);
  const Json within = parts.operation("Clip", args[0], {{"x_min", -threshold}, {"x_max", threshold}});
  parts.binary("Subtract", args[0], within);
}

Json where(Parts& parts, const Json& condition, const Json& first, const Json& second, const Json& like) {
  return parts.operation("Where", {}, {condition, first, second}, shape_of(like), dtype_of(like));
}

void hard_shrink(Parts& parts, const Config& config, const Args& args) {
  const Json extent = parts.operation("Absolute", args[0]);
  const Json is_large = parts.binary("Greater", extent, number(config, "threshold", 0.5), "bool");
  where(parts, is_large, args[0], 0.0, args[0]);
}

void threshold(Parts& parts, const Config& config, const Args& args) {
  const Json is_above = parts.binary("Greater", args[0], number(config, "threshold", 0), "bool");
  where(parts, is_above, args[0], number(config, "default_value", 0), args[0]);
}

void squareplus(Parts& parts, const Config& config, const Args& args) {
  const Json square = parts.binary("Add", parts.operation("Square", args[0]), number(config, "b", 4));
  parts.binary("Divide", parts.binary("Add", args[0], parts.operation("Sqrt", square)), 2.0);
}

void sparse_sigmoid(Parts& parts, const Config&, const Args& args) {
  const Json line = parts.binary("Multiply", parts.binary("Add", args[0], 1.0), 0.5);
  parts.operation("Clip", line, {{"x_min", 0.0}, {"x_max", 1.0}});
}

void sparse_plus(Parts& parts, const Config&, const Args& args) {
  const Json square = parts.operation("Square", parts.binary("Add", args[0], 1.0));
  const Json bend = parts.binary("Multiply", square, 0.25);
  const Json is_bent = parts.binary("Less", args[0], 1.0, "bool");
  const Json above = where(parts, is_bent, bend, args[0], args[0]);
  const Json is_above = parts.binary("Greater", args[0], -1.0, "bool");
  where(parts, is_above, above, 0.0, args[0]);
}

// As Keras has it (keras 3.15, backend/torch/nn.py): it adds up all of the sums, where the paper takes the last.
void sparsemax(Parts& parts, const Config& config, const Args& args) {
  const Json& x = args[0];
  const std::size_t axis = axis_of(x, axis_in(config, -1));
  Json::Array ranks;
  for (std::int64_t rank = 1; rank <= fixed_extent(x, axis); ++rank) {
    Json one = static_cast<double>(rank);
    for (std::size_t behind = axis + 1; behind < shape_of(x).size(); ++behind) one = Json::Array{one};
    ranks.push_back(std::move(one));
  }
  const Json rising = parts.operation("Sort", parts.operation("Negative", x), {{"axis", axis}});
  const Json falling = parts.operation("Negative", rising);
  const Json sums = parts.operation("Cumsum", falling, {{"axis", axis}, {"dtype", nullptr}});
  const Json line = parts.operation("Multiply", {}, {falling, array_of(std::move(ranks), "float32")}, shape_of(x));
  const Json is_part = parts.binary("Greater", parts.binary("Add", line, 1.0), sums, "bool");
  const std::string dtype = dtype_of(x);
  const Json part = parts.operation("Cast", {{"dtype", dtype}}, {is_part}, shape_of(x), dtype);
  const Json count = reduced(parts, "Sum", part, {axis});
  const Json whole = reduced(parts, "Sum", parts.binary("Multiply", sums, part), {axis});
  const Json limit = parts.binary("Divide", parts.binary("Subtract", whole, 1.0), count);
  parts.binary("Maximum", parts.binary("Subtract", x, limit), 0.0);
}

void glu(Parts& parts, const Config& config, const Args& args) {
  const std::size_t axis = axis_of(args[0], axis_in(config, -1));
  Json::Array shape = shape_of(args[0]);
  shape[axis] = fixed_extent(args[0], axis) / 2;
  const Json value = parts.operation("Split", {{"indices_or_sections", 2}, {"axis", axis}}, {args[0]}, shape);
  Json gate = value;
  Json::Object own = gate.at("config").as_object();
  own.find("keras_history")->as_array()[2] = 1;
  gate.as_object().set("config", std::move(own));
  parts.binary("Multiply", value, parts.operation("Sigmoid", gate));
}

// --- Normalisations

std::vector<std::size_t> normalised_axes(const Json& tensor, const Config& config) {
  const Json* stated = config.find("axis");
  std::vector<std::size_t> axes;
  if (stated && stated->is_array())
    for (const Json& axis : stated->as_array()) axes.push_back(axis_of(tensor, axis.as_integer()));
  else
    axes.push_back(axis_of(tensor, stated ? stated->as_integer() : -1));
  std::ranges::sort(axes);
  return axes;
}

// A vector beside the tensor along these axes.
Json along(Parts& parts, const Json& vector, const Json& tensor, const std::vector<std::size_t>& axes) {
  const std::size_t rank = shape_of(tensor).size();
  const bool is_last = axes.back() + 1 == rank && axes.back() - axes.front() + 1 == axes.size();
  if (is_last && shape_of(vector).size() == axes.size()) return vector;
  Json::Array shape(rank, Json(1));
  for (const std::size_t axis : axes) shape[axis] = fixed_extent(tensor, axis);
  return reshaped(parts, vector, shape);
}

const Json* tensor_at(const Args& args, std::size_t place) {
  return place < args.size() && is_keras_tensor(args[place]) ? &args[place] : nullptr;
}

constexpr double kEpsilon = 1e-7;  // keras.config.epsilon()

Json without_scale(Parts& parts, const Config& config, const Json& x, std::string_view extent) {
  refuse_small_floats(x);
  const std::vector<std::size_t> axes = normalised_axes(x, config);
  const Json size =
      extent == "Mean" ? reduced(parts, "Mean", parts.operation("Square", x), axes) : reduced(parts, extent, x, axes);
  const Json inverse = parts.operation("Rsqrt", parts.binary("Add", size, number(config, "epsilon", kEpsilon)));
  return parts.binary("Multiply", x, inverse);
}

void rms_norm(Parts& parts, const Config& config, const Args& args) {
  const Json scaled = without_scale(parts, config, args[0], "Mean");
  if (const Json* scale = tensor_at(args, 1))
    parts.binary("Multiply", scaled, along(parts, *scale, args[0], normalised_axes(args[0], config)));
}

void layer_norm(Parts& parts, const Config& config, const Args& args) {
  const Json& x = args[0];
  const Json* stated = config.find("rms_scaling");
  const bool is_rms = stated && *stated == Json(true);
  const std::vector<std::size_t> axes = normalised_axes(x, config);
  Json made = x;
  if (!is_rms) made = parts.binary("Subtract", x, reduced(parts, "Mean", x, axes));
  made = without_scale(parts, config, made, is_rms ? "Var" : "Mean");
  if (const Json* gamma = tensor_at(args, 1)) made = parts.binary("Multiply", made, along(parts, *gamma, x, axes));
  const Json* beta = is_rms ? nullptr : tensor_at(args, 2);
  if (beta) parts.binary("Add", made, along(parts, *beta, x, axes));
}

void batch_norm(Parts& parts, const Config& config, const Args& args) {
  const Json& x = args[0];
  refuse_small_floats(x);
  const std::vector<std::size_t> axes{axis_of(x, axis_in(config, -1))};
  const auto vector = [&](std::size_t place) { return along(parts, args.at(place), x, axes); };
  const Json spread = parts.binary("Add", vector(2), number(config, "epsilon", 1e-3));
  Json inverse = parts.operation("Rsqrt", spread);
  if (tensor_at(args, 4)) inverse = parts.binary("Multiply", inverse, vector(4));
  const Json made = parts.binary("Multiply", parts.binary("Subtract", x, vector(1)), inverse);
  if (tensor_at(args, 3)) parts.binary("Add", made, vector(3));
}

// A factor for each element along axes is an EinsumDense without a bias: "abc,c->abc".
void rms_normalization(Parts& parts, const Config& config, const Args& args) {
  const Json scaled = without_scale(parts, config, args[0], "Mean");
  std::string letters, kernel;
  for (std::size_t axis = 0; axis < shape_of(scaled).size(); ++axis) letters += static_cast<char>('a' + axis);
  for (const std::size_t axis : normalised_axes(scaled, config)) kernel += letters[axis];
  const Json::Array shape = shape_of(scaled);
  Config dense{{"trainable", config.at("trainable")},
               {"dtype", config.at("dtype")},
               {"equation", letters + "," + kernel + "->" + letters},
               {"output_shape", Json::Array(shape.begin() + 1, shape.end())},
               {"activation", "linear"},
               {"bias_axes", nullptr}};
  for (const char* of : {"kernel", "bias"}) {
    dense.set(std::string(of) + "_initializer", Json::Object{{"module", "keras.initializers"},
                                                             {"class_name", *of == 'k' ? "Ones" : "Zeros"},
                                                             {"config", Json::Object()},
                                                             {"registered_name", nullptr}});
    for (const char* what : {"_regularizer", "_constraint"}) dense.set(of + std::string(what), nullptr);
  }
  parts.layer("EinsumDense", std::move(dense), scaled, shape);
}

// --- Attention

// Which keys a query may look at is one mask in Keras 2.
void attention(Parts& parts, const Json::Object& config, const Args& args, Json::Object keywords) {
  std::optional<Json> mask;
  const auto add = [&](const Json& other) { mask = mask ? parts.binary("LogicalAnd", *mask, other, "bool") : other; };
  for (const auto& [name, axis] : {std::pair("query_mask", 2), std::pair("value_mask", 1), std::pair("key_mask", 1)}) {
    const Json* given = keywords.find(name);
    if (!given || given->is_null()) continue;
    if (!is_keras_tensor(*given) || shape_of(*given).size() != 2)
      throw Unsupported("its " + std::string(name) + " is no tensor of two axes");
    Json::Array shape = shape_of(*given);
    shape.insert(shape.begin() + axis, Json(1));
    const Json truth = truth_of(parts, *given);
    add(parts.operation("ExpandDims", {{"axis", axis}}, {truth}, shape, "bool"));
    keywords.erase(name);
  }
  if (const Json* given = keywords.find("attention_mask"); given && !given->is_null()) {
    if (!is_keras_tensor(*given)) throw Unsupported("its attention_mask is no tensor");
    add(truth_of(parts, *given));
  }
  keywords.set("attention_mask", *mask);
  parts.layer("MultiHeadAttention", config, args, std::move(keywords), Json::Array());
}

// --- Operations

void einsum(Parts& parts, const Config& config, const Args& args) {
  einsum_in_parts(parts, config.at("subscripts").as_string(), args);
}

void place_of_largest(Parts& parts, const Config& config, const Args& args, const char* class_name) {
  const std::size_t axis = axis_of(args[0], config.at("axis").as_integer());
  Json::Array shape = shape_of(args[0]);
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
  const Json place = parts.operation(class_name, {{"axis", axis}, {"keepdims", false}}, {args[0]}, shape, "int32");
  parts.operation("ExpandDims", {{"axis", axis}}, {place}, with_extent(args[0], axis, 1));
}

void argmax(Parts& parts, const Config& config, const Args& args) { place_of_largest(parts, config, args, "Argmax"); }
void argmin(Parts& parts, const Config& config, const Args& args) { place_of_largest(parts, config, args, "Argmin"); }

std::vector<std::size_t> axes_in(const Json& tensor, const Json& stated) {
  std::vector<std::size_t> axes;
  const Json::Array list = stated.is_array() ? stated.as_array() : Json::Array{stated};
  for (const Json& axis : list) axes.push_back(axis_of(tensor, axis.as_integer()));
  return axes;
}

void moveaxis(Parts& parts, const Config& config, const Args& args) {
  const std::vector<std::size_t> from = axes_in(args[0], config.at("source"));
  const std::vector<std::size_t> to = axes_in(args[0], config.at("destination"));
  std::vector<std::size_t> axes = axes_from_0(args[0]);
  std::erase_if(axes, [&](std::size_t axis) { return std::ranges::find(from, axis) != from.end(); });
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < from.size(); ++i) pairs.emplace_back(to.at(i), from[i]);
  std::ranges::sort(pairs);
  for (const auto& [place, axis] : pairs) axes.insert(axes.begin() + static_cast<std::ptrdiff_t>(place), axis);
  moved(parts, args[0], axes);
}

void swapaxes(Parts& parts, const Config& config, const Args& args) {
  std::vector<std::size_t> axes = axes_from_0(args[0]);
  std::swap(axes[axis_of(args[0], config.at("axis1").as_integer())],
            axes[axis_of(args[0], config.at("axis2").as_integer())]);
  moved(parts, args[0], axes);
}

void trunc(Parts& parts, const Config&, const Args& args) {
  const Json extent = parts.operation("Floor", parts.operation("Absolute", args[0]));
  parts.binary("Multiply", parts.operation("Sign", args[0]), extent);
}

// Likewise in a matrix, whose sizes may be open: ones along a row are as many as it is long.
void take_in_rows(Parts& parts, const Json& x, const Json& places) {
  const std::string dtype = dtype_of(places);
  const Json ones = parts.operation("OnesLike", {{"dtype", dtype}}, {x}, shape_of(x), dtype);
  const Json row = reduced(parts, "Sum", ones, {1});
  const Json behind = parts.operation("Cumsum", row, {{"axis", 0}, {"dtype", nullptr}});
  const Json starts = parts.binary("Subtract", behind, row);
  const Json places_in_all = parts.binary("Add", starts, parts.binary("Mod", places, row));
  parts.operation("Take", {{"axis", 0}}, {reshaped(parts, x, {Json()}), places_in_all}, shape_of(places), dtype_of(x));
}

// Places within rows are places in all rows behind one another. Those from the end are Keras's.
void take_along_axis(Parts& parts, const Config& config, const Args& args) {
  if (!is_keras_tensor(args.at(1))) throw Unsupported("its places are no tensor");
  Json x = args[0], places = args[1];
  const std::size_t axis = axis_of(x, axis_in(config, -1)), last = shape_of(x).size() - 1;
  if (shape_of(places).size() != last + 1) throw Unsupported("its places have other axes than its tensor");
  for (std::size_t other = 0; other <= last; ++other)
    if (other != axis && shape_of(x)[other] != shape_of(places)[other])
      throw Unsupported("its places have other sizes than its tensor");
  std::vector<std::size_t> order = axes_from_0(x), back = axes_from_0(x);
  order.erase(order.begin() + static_cast<std::ptrdiff_t>(axis));
  order.push_back(axis);
  for (std::size_t i = 0; i <= last; ++i) back[order[i]] = i;
  if (axis != last) {
    x = moved(parts, x, order);
    places = moved(parts, places, order);
  }
  if (last == 1 && axis == last) {
    take_in_rows(parts, x, places);
    return;
  }
  const std::int64_t row = fixed_extent(x, last), taken = fixed_extent(places, last);
  const Json::Array shape = shape_of(places);
  const Json within = parts.binary("Mod", places, row);
  const Json rows = reshaped(parts, within, {Json(), taken});
  const Json counted = parts.operation("Cumsum", parts.operation("OnesLike", rows, {{"dtype", nullptr}}),
                                       {{"axis", 0}, {"dtype", nullptr}});
  const Json starts = parts.binary("Multiply", parts.binary("Subtract", counted, 1), row);
  const Json all = reshaped(parts, x, {Json()});
  const Json found = parts.operation("Take", {{"axis", 0}}, {all, parts.binary("Add", starts, rows)}, shape_of(rows));
  const Json shaped = reshaped(parts, found, shape);
  if (axis != last) moved(parts, shaped, back);
}

// TensorFlow has an extent for each axis, and steps of 1 where none are given; Keras has those of the windows.
void pool_operation(Parts& parts, const Config& config, const Args& args, const char* class_name) {
  const Json *strides = config.find("strides"), *format = config.find("data_format");
  const Json& window = config.at("pool_size");
  const auto each = [&](const Json& value) -> Json {
    return value.is_array() ? value : Json::Array(shape_of(args[0]).size() - 2, value);
  };
  Config own{{"pool_size", each(window)},
             {"strides", each(strides && !strides->is_null() ? *strides : window)},
             {"padding", config.at("padding")},
             {"data_format", format && !format->is_null() ? *format : Json("channels_last")}};
  parts.operation(class_name, std::move(own), {args[0]}, shape_of(args[0]));
}

void average_pool_operation(Parts& parts, const Config& config, const Args& args) {
  pool_operation(parts, config, args, "AveragePool");
}
void max_pool_operation(Parts& parts, const Config& config, const Args& args) {
  pool_operation(parts, config, args, "MaxPool");
}

bool has_steps(const Json* value) {
  if (!value) return false;
  if (value->is_array()) return std::ranges::any_of(value->as_array(), [](const Json& one) { return has_steps(&one); });
  return value->is_integer() && value->as_integer() > 1;
}

// TensorFlow does not stride where it dilates: of all windows that lie within it leaves some out.
void convolution(Parts& parts, const Config& config, const Args& args) {
  const Json *strides = config.find("strides"), *padding = config.find("padding");
  if (!padding || *padding != Json("valid"))
    throw Unsupported("its strides and dilation_rate are both more than 1, beside padding that is not \"valid\"");
  Config dense = config;
  dense.set("strides", 1);
  const Json all = parts.operation("Conv", std::move(dense), {args[0], args.at(1)}, shape_of(args[0]));
  Json::Array key{slice_of(nullptr, nullptr, nullptr)};
  for (std::size_t axis = 1; axis + 1 < shape_of(args[0]).size(); ++axis)
    key.push_back(slice_of(nullptr, nullptr, strides->is_array() ? strides->as_array().at(axis - 1) : *strides));
  parts.item(all, key, shape_of(all));
}

void full_like(Parts& parts, const Config& config, const Args& args) {
  const Json* dtype = config.find("dtype");
  if (dtype && !dtype->is_null() && *dtype != Json(dtype_of(args[0])))
    throw Unsupported("its dtype is " + quoted(*dtype) + ", where its tensor is of " + dtype_of(args[0]));
  if (args.size() < 2 || !args[1].is_number()) throw Unsupported("its fill_value is no number");
  parts.binary("Add", parts.operation("ZerosLike", args[0], {{"dtype", nullptr}}), args[1]);
}

void where_other_than_zero(Parts& parts, const Config&, const Args& args) {
  const std::string dtype = dtype_of(is_keras_tensor(args.at(1))   ? args[1]
                                     : is_keras_tensor(args.at(2)) ? args[2]
                                                                   : args[0]);
  parts.operation("Where", {}, {truth_of(parts, args[0]), args[1], args[2]}, Json::Array(), dtype);
}

void all_or_any(Parts& parts, const Config& config, const Args& args, const char* class_name) {
  parts.operation(class_name, {{"axis", config.at("axis")}, {"keepdims", config.at("keepdims")}},
                  {truth_of(parts, args[0])}, Json::Array(), "bool");
}
void all(Parts& parts, const Config& config, const Args& args) { all_or_any(parts, config, args, "All"); }
void any(Parts& parts, const Config& config, const Args& args) { all_or_any(parts, config, args, "Any"); }

Json truths_of(const Json& numbers) {
  if (!numbers.is_array()) return numbers.is_number() ? numbers.as_float() != 0 : numbers;
  Json::Array truths;
  for (const Json& one : numbers.as_array()) truths.push_back(truths_of(one));
  return truths;
}

void logical(Parts& parts, const Args& args, const char* class_name) {
  Json::Array truths;
  for (const Json& one : args) {
    const Json* config = one.is_object() ? one.find("config") : nullptr;
    const Json* numbers = config ? config->find("value") : nullptr;
    if (!is_keras_tensor(one) && !numbers) throw Unsupported("it is of what is no tensor");
    truths.push_back(numbers ? array_of(truths_of(*numbers).as_array(), "bool") : truth_of(parts, one));
  }
  parts.operation(class_name, {}, truths, Json::Array(), "bool");
}
void logical_and(Parts& parts, const Config&, const Args& args) { logical(parts, args, "LogicalAnd"); }
void logical_or(Parts& parts, const Config&, const Args& args) { logical(parts, args, "LogicalOr"); }
void logical_xor(Parts& parts, const Config&, const Args& args) { logical(parts, args, "LogicalXor"); }
void logical_not(Parts& parts, const Config&, const Args& args) { logical(parts, args, "LogicalNot"); }

// Numbers that are none count as 0.
Json without_nans(Parts& parts, const Json& x) {
  return where(parts, parts.operation("Isnan", {}, {x}, shape_of(x), "bool"), 0.0, x, x);
}

Json::Object reduction_of(const Config& config) {
  return {{"axis", config.at("axis")}, {"keepdims", config.at("keepdims")}};
}

void nansum(Parts& parts, const Config& config, const Args& args) {
  parts.operation("Sum", reduction_of(config), {without_nans(parts, args[0])}, Json::Array());
}

void nanmean(Parts& parts, const Config& config, const Args& args) {
  const Json& x = args[0];
  refuse_small_floats(x);
  const Json is_number = parts.operation("Equal", {}, {x, x}, shape_of(x), "bool");
  const Json counted = parts.operation("Cast", {{"dtype", dtype_of(x)}}, {is_number}, shape_of(x), dtype_of(x));
  const Json count = parts.operation("Sum", reduction_of(config), {counted}, Json::Array());
  parts.binary("Divide", parts.operation("Sum", reduction_of(config), {without_nans(parts, x)}, Json::Array()), count);
}

void diff(Parts& parts, const Config& config, const Args& args) {
  Json x = args[0];
  const std::size_t axis = axis_of(x, axis_in(config, -1));
  const Json* times = config.find("n");
  if (args.size() > 1 || (times && times->as_integer() < 1)) throw Unsupported("it takes no differences of one tensor");
  for (std::int64_t n = times ? times->as_integer() : 1; n > 0; --n) {
    Json::Array shape = shape_of(x);
    if (shape[axis].is_integer()) shape[axis] = shape[axis].as_integer() - 1;
    Json::Array behind(axis, slice_of(nullptr, nullptr, nullptr)), before = behind;
    behind.push_back(slice_of(1, nullptr, nullptr));
    before.push_back(slice_of(nullptr, -1, nullptr));
    x = parts.binary("Subtract", parts.item(x, behind, shape), parts.item(x, before, shape));
  }
}

// TensorFlow's is of the last two axes.
void diagonal(Parts& parts, const Config& config, const Args& args) {
  const std::size_t first = axis_of(args[0], config.at("axis1").as_integer());
  const std::size_t second = axis_of(args[0], config.at("axis2").as_integer());
  std::vector<std::size_t> axes = axes_from_0(args[0]);
  std::erase_if(axes, [&](std::size_t axis) { return axis == first || axis == second; });
  axes.insert(axes.end(), {first, second});
  const Json last = axes == axes_from_0(args[0]) ? args[0] : moved(parts, args[0], axes);
  parts.operation("Diagonal", {{"offset", config.at("offset")}, {"axis1", -2}, {"axis2", -1}}, {last}, Json::Array());
}

Json triangle(Parts& parts, bool is_lower, std::int64_t k, const Json& x);

// All but the other triangle.
Json beside_triangle(Parts& parts, bool is_lower, std::int64_t k, const Json& x) {
  const Json ones = parts.operation("OnesLike", {{"dtype", "float32"}}, {x}, shape_of(x), "float32");
  const Json other = triangle(parts, !is_lower, is_lower ? k + 1 : k - 1, ones);
  const Json is_other = parts.binary("Greater", other, 0.5, "bool");
  if (dtype_of(x) == "bool") return parts.binary("LogicalAnd", x, parts.operation("LogicalNot", is_other));
  return where(parts, is_other, zero_of(x), x, x);
}

// TensorFlow has a band along the diagonal, with so many above it and all below.
Json triangle(Parts& parts, bool is_lower, std::int64_t k, const Json& x) {
  if (is_lower ? k < 0 : k > 0) return beside_triangle(parts, is_lower, k, x);
  if (is_lower || k == 0) return parts.operation(is_lower ? "Tril" : "Triu", x, {{"k", k}});
  std::vector<std::size_t> turned = axes_from_0(x);
  std::swap(turned[turned.size() - 1], turned[turned.size() - 2]);
  return moved(parts, parts.operation("Tril", moved(parts, x, turned), {{"k", -k}}), turned);
}

void tril(Parts& parts, const Config& config, const Args& args) {
  triangle(parts, true, config.at("k").as_integer(), args[0]);
}
void triu(Parts& parts, const Config& config, const Args& args) {
  triangle(parts, false, config.at("k").as_integer(), args[0]);
}

// So many of these numbers are below, or are no more than each element.
void count_below(Parts& parts, const Json& x, const Json& numbers, const char* than) {
  const Json::Array& shape = shape_of(x);
  Json::Array beside = shape;
  beside.emplace_back(1);
  const Json value = parts.operation("ExpandDims", {{"axis", shape.size()}}, {x}, beside);
  const Json is_below = parts.operation(than, {}, {value, numbers}, beside, "bool");
  const Json counted = parts.operation("Cast", {{"dtype", "int32"}}, {is_below}, beside, "int32");
  parts.operation("Sum", {{"axis", Json::Array{shape.size()}}, {"keepdims", false}}, {counted}, shape);
}

void digitize(Parts& parts, const Config&, const Args& args) {
  count_below(parts, args[0], args.at(1), "GreaterEqual");
}

// TensorFlow searches in as many sequences as there are rows of values.
void search_sorted(Parts& parts, const Config& config, const Args& args) {
  if (args.size() != 2 || !is_keras_tensor(args[1])) throw Unsupported("it searches for what is no tensor");
  const Json::Array& shape = shape_of(args[1]);
  if (!is_keras_tensor(args[0]))
    return count_below(parts, args[1], args[0], config.at("side") == Json("right") ? "GreaterEqual" : "Greater");
  const Json row = shape.size() == 1 ? args[1] : reshaped(parts, args[1], {Json()});
  const Json found =
      parts.operation("SearchSorted", {{"side", config.at("side")}}, {args[0], row}, shape_of(row), "int32");
  if (shape.size() != 1) reshaped(parts, found, shape);
}

void mish(Parts& parts, const Config&, const Args& args) {
  parts.binary("Multiply", args[0], parts.operation("Tanh", parts.operation("Softplus", args[0])));
}

void absolute(Parts& parts, const Config&, const Args& args) { parts.operation("Absolute", args[0]); }

// A number of floating point beside these; of integers TensorFlow makes none.
void by_a_factor(Parts& parts, const Json& tensor, double factor) {
  refuse_small_floats(tensor);
  parts.binary("Multiply", tensor, factor);
}
void deg2rad(Parts& parts, const Config&, const Args& args) { by_a_factor(parts, args[0], std::numbers::pi / 180); }
void rad2deg(Parts& parts, const Config&, const Args& args) { by_a_factor(parts, args[0], 180 / std::numbers::pi); }
void log2(Parts& parts, const Config&, const Args& args) {
  refuse_small_floats(args[0]);
  by_a_factor(parts, parts.operation("Log", args[0]), std::numbers::log2e);
}
void log10(Parts& parts, const Config&, const Args& args) {
  refuse_small_floats(args[0]);
  by_a_factor(parts, parts.operation("Log", args[0]), std::numbers::log10e);
}

void ravel(Parts& parts, const Config&, const Args& args) { reshaped(parts, args[0], {Json()}); }
void flip_rows(Parts& parts, const Config&, const Args& args) { parts.operation("Flip", args[0], {{"axis", 0}}); }
void flip_columns(Parts& parts, const Config&, const Args& args) { parts.operation("Flip", args[0], {{"axis", 1}}); }

// The elements one behind another, where no axis is stated.
void of_all(Parts& parts, const Config& config, const Args& args, const char* class_name, const char* places) {
  const Json row = reshaped(parts, args[0], {Json()});
  Config own{{"axis", 0}};
  for (const char* key : {places, "keepdims", "dtype"})
    if (const Json* value = config.find(key); value && *key) own.set(key, *value);
  parts.operation(class_name, row, std::move(own));
}
void cumsum(Parts& parts, const Config& config, const Args& args) { of_all(parts, config, args, "Cumsum", ""); }
void cumprod(Parts& parts, const Config& config, const Args& args) { of_all(parts, config, args, "Cumprod", ""); }
void repeat(Parts& parts, const Config& config, const Args& args) { of_all(parts, config, args, "Repeat", "repeats"); }
void roll(Parts& parts, const Config& config, const Args& args) {
  const Json::Array shape = shape_of(args[0]);
  const Json row = reshaped(parts, args[0], {Json()});
  reshaped(parts, parts.operation("Roll", row, {{"shift", config.at("shift")}, {"axis", 0}}), shape);
}

struct Row {
  std::string_view name;
  Recipe recipe;
};

constexpr auto kOperations = std::to_array<Row>({
    {"Abs", absolute},
    {"All", all},
    {"Any", any},
    {"AveragePool", average_pool_operation},
    {"Conv", convolution},
    {"Cumprod", cumprod},
    {"Cumsum", cumsum},
    {"Deg2rad", deg2rad},
    {"Fabs", absolute},
    {"Fliplr", flip_columns},
    {"Flipud", flip_rows},
    {"FullLike", full_like},
    {"Log10", log10},
    {"Log2", log2},
    {"LogicalAnd", logical_and},
    {"LogicalNot", logical_not},
    {"LogicalOr", logical_or},
    {"LogicalXor", logical_xor},
    {"MaxPool", max_pool_operation},
    {"Mish", mish},
    {"Rad2deg", rad2deg},
    {"Ravel", ravel},
    {"Repeat", repeat},
    {"Roll", roll},
    {"Where", where_other_than_zero},
    {"Argmax", argmax},
    {"Argmin", argmin},
    {"BatchNorm", batch_norm},
    {"BitwiseAnd", logical_and},
    {"BitwiseOr", logical_or},
    {"BitwiseXor", logical_xor},
    {"Celu", celu},
    {"Diagonal", diagonal},
    {"Diff", diff},
    {"Digitize", digitize},
    {"Einsum", einsum},
    {"Glu", glu},
    {"HardShrink", hard_shrink},
    {"HardSilu", hard_silu},
    {"HardTanh", hard_tanh},
    {"LayerNorm", layer_norm},
    {"Moveaxis", moveaxis},
    {"Nanmean", nanmean},
    {"Nansum", nansum},
    {"RMSNorm", rms_norm},
    {"SearchSorted", search_sorted},
    {"SoftShrink", soft_shrink},
    {"SparsePlus", sparse_plus},
    {"SparseSigmoid", sparse_sigmoid},
    {"Sparsemax", sparsemax},
    {"Squareplus", squareplus},
    {"Swapaxes", swapaxes},
    {"TakeAlongAxis", take_along_axis},
    {"TanhShrink", tanh_shrink},
    {"Threshold", threshold},
    {"Tril", tril},
    {"Triu", triu},
    {"Trunc", trunc},
});

constexpr auto kActivations = std::to_array<Row>({
    {"celu", celu},
    {"glu", glu},
    {"hard_shrink", hard_shrink},
    {"hard_silu", hard_silu},
    {"hard_tanh", hard_tanh},
    {"leaky_relu", leaky_relu},
    {"log_sigmoid", log_sigmoid},
    {"log_softmax", log_softmax},
    {"mish", mish},
    {"relu6", relu6},
    {"soft_shrink", soft_shrink},
    {"sparse_plus", sparse_plus},
    {"sparse_sigmoid", sparse_sigmoid},
    {"sparsemax", sparsemax},
    {"squareplus", squareplus},
    {"tanh_shrink", tanh_shrink},
});

constexpr auto kLayers = std::to_array<Row>({
    {"AdaptiveAveragePooling1D", average_pool},
    {"AdaptiveAveragePooling2D", average_pool},
    {"AdaptiveAveragePooling3D", average_pool},
    {"AdaptiveMaxPooling1D", max_pool},
    {"AdaptiveMaxPooling2D", max_pool},
    {"AdaptiveMaxPooling3D", max_pool},
    {"RMSNormalization", rms_normalization},
    {"Resizing", resizing},
    {"UpSampling2D", up_sampling},
});

template <typename Rows>
Recipe recipe_in(const Rows& rows, const std::string& name) {
  const auto found = std::ranges::find(rows, std::string_view(name), &Row::name);
  return found == rows.end() ? nullptr : found->recipe;
}

}  // namespace

bool strides_and_dilates(const Json::Object& config) {
  return has_steps(config.find("strides")) && has_steps(config.find("dilation_rate"));
}

Recipe recipe_of_operation(const std::string& class_name) { return recipe_in(kOperations, class_name); }
Recipe recipe_of_activation(const std::string& name) { return recipe_in(kActivations, name); }
void attention_in_parts(Parts& parts, const Json::Object& config, const Json& node) {
  attention(parts, config, node.at("args").as_array(), node.at("kwargs").as_object());
}

Recipe recipe_of_layer(const std::string& class_name) { return recipe_in(kLayers, class_name); }

}  // namespace h5bridge
