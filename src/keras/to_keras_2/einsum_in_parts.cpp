#include "keras/to_keras_2/einsum_in_parts.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "h5bridge/error.h"
#include "keras/to_keras_2/calls.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr std::string_view kEllipsis = "...";

bool has(std::string_view letters, char letter) { return letters.find(letter) != std::string_view::npos; }

// A tensor, and a letter for each of its axes.
struct Operand {
  Json tensor;
  std::string letters;
};

class ProductOfTwo {
 public:
  ProductOfTwo(Parts& parts, const std::string& subscripts, const Json::Array& tensors) : parts_(parts) {
    std::string text;
    std::ranges::copy_if(subscripts, std::back_inserter(text), [](char letter) { return letter != ' '; });
    const std::size_t arrow = text.find("->");
    if (arrow == std::string::npos || tensors.empty() || tensors.size() > 2)
      throw Unsupported("its subscripts are " + quoted(subscripts) + ", which h5bridge has no products for");
    std::string_view given = std::string_view(text).substr(0, arrow);
    for (const Json& tensor : tensors) {
      const std::size_t comma = std::min(given.find(','), given.size());
      operands_.push_back({tensor, axes_of(given.substr(0, comma), rank_of_operand(tensor))});
      given.remove_prefix(std::min(comma + 1, given.size()));
    }
    result_ = spelled_out(std::string_view(text).substr(arrow + 2), most_hidden_);
    for (const Operand& operand : operands_)
      for (const char letter : operand.letters)
        if (std::ranges::count(operand.letters, letter) > 1) throw Unsupported("one of its tensors has an axis twice");
  }

  Json run() {
    for (std::size_t i = 0; i < operands_.size(); ++i)
      if (!is_keras_tensor(operands_[i].tensor)) return in_order(product_with_array(1 - i, i), result_).tensor;
    for (std::size_t i = 0; i < operands_.size(); ++i) sum_alone(i);
    Operand made = operands_.size() == 1 ? operands_[0] : product();
    const Operand ordered = in_order(made, result_);
    // The last part takes the name, so that there has to be one.
    return ordered.tensor == operands_[0].tensor ? parts_.operation("Copy", ordered.tensor) : ordered.tensor;
  }

 private:
  // Capitals stand for the axes that an ellipsis hides, those at the end alike in each tensor.
  static std::string spelled_out(std::string_view letters, std::size_t hidden) {
    const std::size_t at = letters.find(kEllipsis);
    if (at == std::string_view::npos) return std::string(letters);
    std::string axes;
    for (std::size_t i = hidden; i > 0; --i) axes += static_cast<char>('A' + (i - 1));
    return std::string(letters.substr(0, at)) + axes + std::string(letters.substr(at + kEllipsis.size()));
  }

  std::string axes_of(std::string_view letters, std::size_t rank) {
    if (std::ranges::any_of(letters, [](char letter) { return letter >= 'A' && letter <= 'Z'; }))
      throw Unsupported("its subscripts have capitals");
    const bool is_open = letters.find(kEllipsis) != std::string_view::npos;
    const std::size_t named = letters.size() - (is_open ? kEllipsis.size() : 0);
    if (named > rank || (!is_open && named != rank)) throw Unsupported("its subscripts are not those of its tensors");
    if (is_open) most_hidden_ = std::max(most_hidden_, rank - named);
    return spelled_out(letters, rank - named);
  }

  // Axes that neither the other tensor nor the result has.
  void sum_alone(std::size_t i) {
    Operand& operand = operands_[i];
    Json::Array axes, shape;
    std::string kept;
    for (std::size_t axis = 0; axis < operand.letters.size(); ++axis) {
      const char letter = operand.letters[axis];
      const bool is_elsewhere = has(result_, letter) || (operands_.size() > 1 && has(operands_[1 - i].letters, letter));
      if (!is_elsewhere) {
        axes.emplace_back(axis);
        continue;
      }
      kept += letter;
      shape.push_back(shape_of(operand.tensor)[axis]);
    }
    if (axes.empty()) return;
    operand = {parts_.operation("Sum", {{"axis", axes}, {"keepdims", false}}, {operand.tensor}, shape), kept};
  }

  Operand in_order(const Operand& operand, const std::string& letters) {
    if (operand.letters == letters) return operand;
    Json::Array axes, shape;
    for (const char letter : letters) {
      const std::size_t axis = operand.letters.find(letter);
      axes.emplace_back(axis);
      shape.push_back(shape_of(operand.tensor).at(axis));
    }
    return {parts_.operation("Transpose", {{"axes", axes}}, {operand.tensor}, shape), letters};
  }

  // The operand with these letters in this order, of which those that it lacks have an extent of 1.
  Operand with_axes(const Operand& operand, const std::string& letters) {
    std::string own;
    std::ranges::copy_if(letters, std::back_inserter(own), [&](char letter) { return has(operand.letters, letter); });
    Operand result = in_order(operand, own);
    for (std::size_t axis = 0; axis < letters.size(); ++axis) {
      if (has(operand.letters, letters[axis])) continue;
      Json::Array shape = shape_of(result.tensor);
      shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), Json(1));
      result.tensor = parts_.operation("ExpandDims", {{"axis", axis}}, {result.tensor}, shape);
    }
    result.letters = letters;
    return result;
  }

  static std::size_t rank_of_operand(const Json& value) {
    if (is_keras_tensor(value)) return shape_of(value).size();
    const Json* config = value.is_object() ? value.find("config") : nullptr;
    const Json* numbers = config ? config->find("value") : nullptr;
    if (!numbers) throw Unsupported("it multiplies what is no tensor");
    return extents_of(*numbers).size();
  }

  static Json::Array extents_of(const Json& numbers) {
    Json::Array extents;
    for (const Json* part = &numbers; part->is_array(); part = &part->as_array().front()) {
      if (part->as_array().empty()) throw Unsupported("it multiplies an array without elements");
      extents.emplace_back(part->as_array().size());
    }
    return extents;
  }

  // The array's element at the places that letters have.
  static Json element_at(const Json& numbers, const std::string& letters, const std::map<char, std::size_t>& places) {
    const Json* part = &numbers;
    for (const char letter : letters) part = &part->as_array().at(places.at(letter));
    return *part;
  }

  // The array with these letters in this order, of which those that it lacks have an extent of 1.
  static Json laid_along(const Json& numbers, const std::string& own, const std::string& letters,
                         std::map<char, std::size_t> places = {}) {
    if (letters.empty()) return element_at(numbers, own, places);
    const std::size_t at = own.find(letters[0]);
    const std::size_t extent =
        at == std::string::npos ? 1 : static_cast<std::size_t>(extents_of(numbers)[at].as_integer());
    Json::Array parts;
    for (std::size_t i = 0; i < extent; ++i) {
      places[letters[0]] = i;
      parts.push_back(laid_along(numbers, own, letters.substr(1), places));
    }
    return parts;
  }

  // Element by element where the result has what both have, too; then what it has not is summed.
  Operand elements_with_array(const Operand& own, const Operand& other) {
    std::string letters = own.letters;
    for (const char letter : other.letters)
      if (!has(letters, letter)) letters += letter;
    const Operand spread = with_axes(own, letters);
    Json array = other.tensor;
    Json::Object config = array.at("config").as_object();
    config.set("value", laid_along(config.at("value"), other.letters, letters));
    Json::Array shape = shape_of(spread.tensor);
    const Json::Array extents = extents_of(config.at("value"));
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      if (extents[axis] != Json(1)) shape[axis] = extents[axis];
    array.as_object().set("config", std::move(config));
    Operand made{parts_.operation("Multiply", {}, {spread.tensor, array}, shape), letters};
    Json::Array axes, left;
    made.letters.clear();
    for (std::size_t axis = 0; axis < letters.size(); ++axis) {
      if (!has(result_, letters[axis])) {
        axes.emplace_back(axis);
        continue;
      }
      left.push_back(shape[axis]);
      made.letters += letters[axis];
    }
    if (!axes.empty())
      made.tensor = parts_.operation("Sum", {{"axis", axes}, {"keepdims", false}}, {made.tensor}, left);
    return made;
  }

  // An array is the second factor of a Tensordot.
  Operand product_with_array(std::size_t tensor, std::size_t array) {
    if (operands_.size() < 2 || !is_keras_tensor(operands_[tensor].tensor))
      throw Unsupported("it multiplies no tensors");
    const Operand &own = operands_[tensor], &other = operands_[array];
    const Json::Array extents = extents_of(other.tensor.at("config").at("value"));
    Json::Array summed, in_array, shape;
    std::string letters;
    for (std::size_t axis = 0; axis < own.letters.size(); ++axis) {
      const std::size_t there = other.letters.find(own.letters[axis]);
      const bool is_kept = has(result_, own.letters[axis]);
      if (is_kept == (there != std::string::npos)) return elements_with_array(own, other);
      if (is_kept) {
        letters += own.letters[axis];
        shape.push_back(shape_of(own.tensor)[axis]);
      } else {
        summed.emplace_back(axis);
        in_array.emplace_back(there);
      }
    }
    for (std::size_t axis = 0; axis < other.letters.size(); ++axis) {
      if (has(own.letters, other.letters[axis])) continue;
      if (!has(result_, other.letters[axis])) throw Unsupported("it sums an array alone");
      letters += other.letters[axis];
      shape.push_back(extents[axis]);
    }
    return {parts_.operation("Tensordot", {{"axes", Json::Array{summed, in_array}}}, {own.tensor, other.tensor}, shape),
            letters};
  }

  std::string letters_of(std::size_t i, bool in_other, bool in_result) const {
    std::string found;
    std::ranges::copy_if(operands_[i].letters, std::back_inserter(found), [&](char letter) {
      return has(operands_[1 - i].letters, letter) == in_other && has(result_, letter) == in_result;
    });
    return found;
  }

  static std::string by_result(std::string letters, const std::string& result) {
    std::ranges::sort(letters, {}, [&](char letter) { return result.find(letter); });
    return letters;
  }

  // What both have and the result, too, comes first; of the others a product of matrices has one axis each.
  Operand product() {
    const std::string summed = letters_of(0, true, false);
    if (summed.empty()) return product_of_elements();
    std::string left = by_result(letters_of(0, false, true), result_);
    std::string right = by_result(letters_of(1, false, true), result_);
    std::string before = by_result(letters_of(0, true, true), result_);
    const auto split = [&](std::string& letters) {
      if (letters.size() > 1) before += letters.substr(0, letters.size() - 1);
      return letters.empty() ? letters : letters.substr(letters.size() - 1);
    };
    const std::string row = split(left), column = split(right);
    before = by_result(before, result_);
    Operand first = with_axes(operands_[0], before + row + summed);
    Operand second = with_axes(operands_[1], before + summed + column);
    if (row.empty()) first.tensor = unsqueezed(first.tensor, before.size());
    if (column.empty()) second.tensor = unsqueezed(second.tensor, shape_of(second.tensor).size());
    first.tensor = merged(first.tensor, before.size() + 1, summed.size());
    second.tensor = merged(second.tensor, before.size(), summed.size());
    return without(parts_.operation("Matmul", {}, {first.tensor, second.tensor}, shape_of_product(first, second)),
                   before, row, column);
  }

  Operand product_of_elements() {
    const Operand first = with_axes(operands_[0], result_), second = with_axes(operands_[1], result_);
    return {parts_.binary("Multiply", first.tensor, second.tensor), result_};
  }

  Json unsqueezed(const Json& tensor, std::size_t axis) {
    Json::Array shape = shape_of(tensor);
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), Json(1));
    return parts_.operation("ExpandDims", {{"axis", axis}}, {tensor}, shape);
  }

  // `count` axes from `first` on as one.
  Json merged(const Json& tensor, std::size_t first, std::size_t count) {
    if (count < 2) return tensor;
    Json::Array shape, asked;
    std::int64_t whole = 1;
    for (std::size_t axis = 0; axis < shape_of(tensor).size(); ++axis) {
      if (axis >= first && axis < first + count) whole *= fixed_extent(tensor, axis);
      if (axis + 1 == first + count) shape.emplace_back(whole);
      if (axis < first || axis >= first + count) shape.push_back(shape_of(tensor)[axis]);
    }
    for (const Json& extent : shape) asked.push_back(extent.is_null() ? Json(-1) : extent);
    if (std::ranges::count(asked, Json(-1)) > 1)
      throw Unsupported("it sums over several axes beside several open ones");
    return parts_.operation("Reshape", {{"newshape", asked}}, {tensor}, shape);
  }

  static Json shape_of_product(const Operand& first, const Operand& second) {
    Json::Array shape = shape_of(first.tensor);
    const Json::Array& other = shape_of(second.tensor);
    for (std::size_t axis = 0; axis + 2 < shape.size(); ++axis)
      if (shape[axis] == Json(1) || shape[axis].is_null())
        shape[axis] = other[axis] == Json(1) ? shape[axis] : other[axis];
    shape.back() = other.back();
    return shape;
  }

  // Without the axes of 1 that stood for a row or a column.
  Operand without(const Json& made, const std::string& before, const std::string& row, const std::string& column) {
    Json::Array axes, shape(shape_of(made).begin(), shape_of(made).end() - 2);
    const auto look_at = [&](const std::string& letter, std::size_t axis) {
      if (letter.empty())
        axes.emplace_back(axis);
      else
        shape.push_back(shape_of(made)[axis]);
    };
    look_at(row, before.size());
    look_at(column, before.size() + 1);
    const std::string letters = before + row + column;
    if (axes.empty()) return {made, letters};
    return {parts_.operation("Squeeze", {{"axis", axes}}, {made}, shape), letters};
  }

  Parts& parts_;
  std::vector<Operand> operands_;
  std::string result_;
  std::size_t most_hidden_ = 0;
};

}  // namespace

Json einsum_in_parts(Parts& parts, const std::string& subscripts, const Json::Array& tensors) {
  return ProductOfTwo(parts, subscripts, tensors).run();
}

}  // namespace h5bridge
