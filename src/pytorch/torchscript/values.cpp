#include "pytorch/torchscript/values.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

#include "h5bridge/error.h"
#include "model/size_terms.h"

namespace h5bridge::script {
namespace {

using Given = std::vector<ScriptValue>;
using Compute = std::function<ScriptValue(const Given&)>;

Size size_of_value(const ScriptValue& value) {
  const auto size = value.size();
  if (!size) throw Unsupported("computes with what is no size");
  return *size;
}

const ScriptList& list_of(const ScriptValue& value) {
  const ScriptList* list = value.list();
  if (!list) throw Unsupported("takes an element of what is no list");
  return *list;
}

std::size_t place(std::int64_t index, const ScriptList& list) {
  const auto count = static_cast<std::int64_t>(list.size());
  if (index < 0) index += count;
  if (index < 0 || index >= count) throw Unsupported("takes an element that a list does not have");
  return static_cast<std::size_t>(index);
}

bool is_float(const ScriptValue& value) {
  const Json* json = std::get_if<Json>(&value.held);
  return json && json->is_number() && !json->is_integer();
}

double number(const ScriptValue& value) {
  const Json* json = std::get_if<Json>(&value.held);
  if (!json || !json->is_number()) throw Unsupported("computes with a number that is open");
  return json->as_float();
}

// Of sizes, or of numbers where one is none.
Compute arithmetic(Size (*of_sizes)(const Size&, const Size&), double (*of_numbers)(double, double)) {
  return [=](const Given& given) -> ScriptValue {
    if (is_float(given.at(0)) || is_float(given.at(1)))
      return Json(of_numbers(number(given.at(0)), number(given.at(1))));
    return of_sizes(size_of_value(given.at(0)), size_of_value(given.at(1)));
  };
}

std::optional<std::int64_t> least(const Size& size);

// The least that what is multiplied in a size may be: a size is at least 1, and a quotient of sizes at least what it is
// of the least.
std::optional<std::int64_t> least_of_atom(const Size& atom) {
  const auto quotient = quotient_of(atom);
  if (!quotient) return 1;
  const auto dividend = least(quotient->first);
  const auto divisor = quotient->second.value();
  if (!dividend || *dividend < 0 || !divisor || *divisor < 1) return std::nullopt;
  return *dividend / *divisor;
}

// The least that a size may be which grows with all that is open in it; nothing for other expressions.
std::optional<std::int64_t> least(const Size& size) {
  Size sum = 0;
  for (const SizeTerm& term : terms_of(size)) {
    Size product = term.coefficient;
    for (const Size& atom : term.atoms) {
      const auto factor = least_of_atom(atom);
      if (!factor || term.coefficient < 0) return std::nullopt;
      product = product * Size(*factor);
    }
    sum = sum + product;
  }
  return sum.value();
}

// Whether it cannot be 0, since all that is open in it has a factor that the number beside has not.
bool leaves_a_remainder(const Size& size) {
  std::int64_t factor = 0, number = 0;
  for (const SizeTerm& term : terms_of(size))
    if (term.atoms.empty())
      number += term.coefficient;
    else
      factor = std::gcd(factor, term.coefficient);
  return factor > 1 && number % factor != 0;
}

[[noreturn]] void throw_open_condition(const Size& size) {
  std::string names;
  for (const std::string& symbol : size.symbols()) names += (names.empty() ? "" : ", ") + symbol;
  throw Unsupported("a condition depends on open sizes: " + names);
}

// Of two sizes, what holds of their difference: `is_above`, that it is more than a number.
Compute comparison(bool (*holds)(double, double), bool is_above) {
  return [=](const Given& given) -> ScriptValue {
    if (is_float(given.at(0)) || is_float(given.at(1))) return Json(holds(number(given.at(0)), number(given.at(1))));
    const Size difference = size_of_value(given.at(0)) - size_of_value(given.at(1));
    if (const auto known = difference.value()) return Json(holds(static_cast<double>(*known), 0));
    const auto lowest = least(difference), highest = least(Size(0) - difference);
    if (lowest && holds(static_cast<double>(*lowest), 0) == is_above) return Json(is_above);
    if (highest && holds(-static_cast<double>(*highest), 0) != is_above) return Json(!is_above);
    throw_open_condition(difference);
  };
}

bool are_equal(const ScriptValue& a, const ScriptValue& b) {
  if (a.size() && b.size()) {
    const Size difference = *a.size() - *b.size();
    if (!difference.is_open()) return difference == Size(0);
    const auto lowest = least(difference), highest = least(Size(0) - difference);
    if (lowest.value_or(0) > 0 || highest.value_or(0) > 0 || leaves_a_remainder(difference)) return false;
    throw_open_condition(difference);
  }
  if (a.list() && b.list()) return std::ranges::equal(*a.list(), *b.list(), are_equal);
  const Json *x = std::get_if<Json>(&a.held), *y = std::get_if<Json>(&b.held);
  if (!x || !y) throw Unsupported("compares what is not known");
  return *x == *y || (x->is_number() && y->is_number() && x->as_float() == y->as_float());
}

ScriptValue sliced(const Given& given) {
  const ScriptList& list = list_of(given.at(0));
  const auto count = static_cast<std::int64_t>(list.size());
  const auto bound = [&](std::size_t at, std::int64_t otherwise) {
    if (given.size() <= at || given[at].is_none()) return otherwise;
    const std::int64_t index = given[at].integer();
    return std::clamp(index < 0 ? index + count : index, std::int64_t{0}, count);
  };
  if (given.size() > 3 && given[3].integer() != 1) throw Unsupported("takes every other element of a list");
  const std::int64_t begin = bound(1, 0), end = std::max(bound(2, count), begin);
  return ScriptList(list.begin() + begin, list.begin() + end);
}

ScriptValue same(const Given& given) { return given.at(0); }

const std::map<std::string, Compute>& computations() {
  static const std::map<std::string, Compute> table{
      {"aten::sub",
       arithmetic([](const Size& a, const Size& b) { return a - b; }, [](double a, double b) { return a - b; })},
      {"aten::mul",
       arithmetic([](const Size& a, const Size& b) { return a * b; }, [](double a, double b) { return a * b; })},
      {"aten::floordiv", arithmetic([](const Size& a, const Size& b) { return a.floor_divide(b); },
                                    [](double a, double b) { return std::floor(a / b); })},
      {"aten::floor_divide", arithmetic([](const Size& a, const Size& b) { return a.floor_divide(b); },
                                        [](double a, double b) { return std::floor(a / b); })},
      {"aten::remainder", arithmetic([](const Size& a, const Size& b) { return a - b * a.floor_divide(b); },
                                     [](double a, double b) { return a - b * std::floor(a / b); })},
      {"aten::add",
       [](const Given& given) -> ScriptValue {
         if (!given.at(0).list()) {
           static const Compute sum =
               arithmetic([](const Size& a, const Size& b) { return a + b; }, [](double a, double b) { return a + b; });
           return sum(given);
         }
         ScriptList result = list_of(given.at(0));
         const ScriptList& more = list_of(given.at(1));
         result.insert(result.end(), more.begin(), more.end());
         return result;
       }},
      {"aten::div", [](const Given& given) -> ScriptValue { return Json(number(given.at(0)) / number(given.at(1))); }},
      {"aten::neg",
       [](const Given& given) -> ScriptValue {
         if (is_float(given.at(0))) return Json(-number(given.at(0)));
         return Size(0) - size_of_value(given.at(0));
       }},
      {"aten::lt", comparison([](double a, double b) { return a < b; }, false)},
      {"aten::gt", comparison([](double a, double b) { return a > b; }, true)},
      {"aten::le", comparison([](double a, double b) { return a <= b; }, false)},
      {"aten::ge", comparison([](double a, double b) { return a >= b; }, true)},
      {"aten::eq", [](const Given& given) -> ScriptValue { return Json(are_equal(given.at(0), given.at(1))); }},
      {"aten::ne", [](const Given& given) -> ScriptValue { return Json(!are_equal(given.at(0), given.at(1))); }},
      {"aten::__not__", [](const Given& given) -> ScriptValue { return Json(!given.at(0).truth()); }},
      {"aten::__and__",
       [](const Given& given) -> ScriptValue { return Json(given.at(0).truth() && given.at(1).truth()); }},
      {"aten::__or__",
       [](const Given& given) -> ScriptValue { return Json(given.at(0).truth() || given.at(1).truth()); }},
      {"aten::any",
       [](const Given& given) -> ScriptValue {
         return Json(std::ranges::any_of(list_of(given.at(0)), &ScriptValue::truth));
       }},
      {"aten::all",
       [](const Given& given) -> ScriptValue {
         return Json(std::ranges::all_of(list_of(given.at(0)), &ScriptValue::truth));
       }},
      {"aten::__contains__",
       [](const Given& given) -> ScriptValue {
         return Json(std::ranges::any_of(list_of(given.at(0)),
                                         [&](const ScriptValue& one) { return are_equal(one, given.at(1)); }));
       }},
      {"aten::Float", [](const Given& given) -> ScriptValue { return Json(number(given.at(0))); }},
      {"aten::len",
       [](const Given& given) -> ScriptValue {
         if (const ScriptList* list = given.at(0).list()) return Json(static_cast<std::int64_t>(list->size()));
         const Json* text = std::get_if<Json>(&given.at(0).held);
         if (!text || !text->is_string()) throw Unsupported("asks for a length that is not known");
         return Json(static_cast<std::int64_t>(text->as_string().size()));
       }},
      {"aten::Bool", same},
      {"aten::Int",
       [](const Given& given) -> ScriptValue {
         return is_float(given.at(0)) ? Json(static_cast<std::int64_t>(number(given.at(0)))) : given.at(0);
       }},
      {"aten::IntImplicit", same},
      {"aten::ScalarImplicit", same},
      {"aten::list", same},
      {"prim::NumToTensor", same},
      {"aten::__getitem__",
       [](const Given& given) -> ScriptValue {
         const ScriptList& list = list_of(given.at(0));
         return list[place(given.at(1).integer(), list)];
       }},
      {"prim::TupleIndex",
       [](const Given& given) -> ScriptValue {
         const ScriptList& list = list_of(given.at(0));
         return list[place(given.at(1).integer(), list)];
       }},
      {"aten::slice", sliced},
      {"prim::TupleSlice", sliced},
  };
  return table;
}

}  // namespace

ScriptValue::ScriptValue(Json constant) {
  if (!constant.is_array()) {
    held = std::move(constant);
    return;
  }
  ScriptList list;
  for (const Json& element : constant.as_array()) list.emplace_back(element);
  held = std::make_shared<ScriptList>(std::move(list));
}

ScriptValue::ScriptValue(ScriptList list) : held(std::make_shared<ScriptList>(std::move(list))) {}

ScriptList* ScriptValue::list() const {
  const auto* list = std::get_if<std::shared_ptr<ScriptList>>(&held);
  return list ? list->get() : nullptr;
}

ScriptValue::ScriptValue(Size size) {
  if (const auto number = size.value())
    held = Json(*number);
  else
    held = std::move(size);
}

const std::string* ScriptValue::tensor() const {
  const auto* named = std::get_if<TensorName>(&held);
  return named ? &named->name : nullptr;
}

bool ScriptValue::is_none() const {
  const Json* json = std::get_if<Json>(&held);
  return json && json->is_null();
}

std::optional<Size> ScriptValue::size() const {
  if (const Size* open = std::get_if<Size>(&held)) return *open;
  const Json* json = std::get_if<Json>(&held);
  return json && json->is_integer() ? std::optional(Size(json->as_integer())) : std::nullopt;
}

bool ScriptValue::truth() const {
  const Json* json = std::get_if<Json>(&held);
  if (json && json->is_bool()) return json->as_bool();
  if (json && json->is_integer()) return json->as_integer() != 0;
  throw Unsupported("a condition depends on values");
}

std::int64_t ScriptValue::integer() const {
  const auto known = size();
  if (!known || !known->value()) throw Unsupported("depends on a number that is open");
  return *known->value();
}

bool has_tensor(const ScriptValue& value) {
  if (value.tensor()) return true;
  return value.list() && std::ranges::any_of(*value.list(), has_tensor);
}

std::optional<ScriptValue> computed(const std::string& kind, const std::vector<ScriptValue>& given) {
  const auto found = computations().find(kind);
  if (found == computations().end()) return std::nullopt;
  for (const ScriptValue& value : given)
    if (const auto* unknown = std::get_if<Unknown>(&value.held)) return *unknown;
  return found->second(given);
}

Json json_of(const ScriptValue& value) {
  if (const Size* size = std::get_if<Size>(&value.held)) return Json(size->str());
  if (const Json* json = std::get_if<Json>(&value.held)) return *json;
  const ScriptList* list = value.list();
  if (!list) throw Unsupported("takes a value that is not known");
  Json::Array elements;
  for (const ScriptValue& element : *list) elements.push_back(json_of(element));
  return elements;
}

}  // namespace h5bridge::script
