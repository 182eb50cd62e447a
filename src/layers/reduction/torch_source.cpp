#include <algorithm>
#include <cmath>

#include "facets/spec/axes.h"
#include "facets/torch_source/signature.h"

namespace h5bridge::reduction {
namespace {

bool keeps(const Attributes& a) { return a.contains("keepdim") && a.boolean("keepdim"); }

// None where all axes are meant.
std::string dims(const Attributes& a) {
  const AttributeValue& value = a.at("dim");
  if (const auto* axis = std::get_if<std::int64_t>(&value)) return std::to_string(*axis);
  const auto* axes = std::get_if<std::vector<std::int64_t>>(&value);
  if (!axes || axes->empty()) return "None";
  return axes->size() == 1 ? std::to_string(axes->front()) : python_value(value).text;
}

// "dim=1, keepdim=True", as far as it has to be said.
std::vector<std::string> axes_settings(const Attributes& a, const std::string& all = "None") {
  std::vector<std::string> result;
  const std::string named = dims(a);
  if (named != "None" || keeps(a)) result.push_back("dim=" + (named == "None" ? all : named));
  if (keeps(a)) result.push_back("keepdim=True");
  return result;
}

// A number of PyTorch's that people write as an integer where it is one.
std::string number_text(double value) {
  return std::isfinite(value) && value == std::floor(value) && std::abs(value) < 1e15
             ? std::to_string(static_cast<std::int64_t>(value))
             : python_float(value);
}

Python method(const SourceCall& call, const std::string& name, const std::vector<std::string>& settings) {
  return call.input().receiver() + "." + name + "(" + joined(settings) + ")";
}

TorchSource over_axes(const std::string& name) {
  return torch_code(name,
                    [name](const SourceCall& call) { return method(call, name, axes_settings(call.attributes())); });
}

TorchSource spread(const std::string& name) {
  return torch_code(name, [name](const SourceCall& call) {
    const Attributes& a = call.attributes();
    std::vector<std::string> settings = axes_settings(a);
    if (a.number("correction") != 1)
      settings.insert(settings.begin() + (dims(a) == "None" ? 0 : 1),
                      "correction=" + number_text(a.number("correction")));
    return method(call, name, settings);
  });
}

// The extreme of the elements and, if given, of one besides.
TorchSource bounded(const std::string& name, const std::string& extreme) {
  return torch_code(name, [name, extreme](const SourceCall& call) -> Python {
    const Attributes& a = call.attributes();
    const Python result = method(call, name, axes_settings(a, "()"));
    if (a.is_none("initial")) return result;
    const DType dtype = call.outputs.at(0).dtype;
    return "torch." + extreme + "(" + result.text + ", torch.tensor(" + python_float(a.number("initial")) +
           (dtype == DType::Float32 ? "" : ", dtype=" + python_value(AttributeValue(dtype)).text) + "))";
  });
}

// What PyTorch reduces over one axis or all, with the axes of size 1 that are kept.
std::string all_kept(const SourceCall& call) {
  if (!keeps(call.attributes())) return "";
  return ".reshape(" + python_tuple(std::vector<std::string>(call.input_shape().size(), "1")) + ")";
}

TorchSource one_or_all(const std::string& name) {
  return torch_code(name, [name](const SourceCall& call) -> Python {
    const Attributes& a = call.attributes();
    if (a.is_none("dim")) return call.input().receiver() + "." + name + "()" + all_kept(call);
    return method(call, name, axes_settings(a));
  });
}

Python product(const SourceCall& call) {
  const Attributes& a = call.attributes();
  if (a.is_none("dim")) return call.input().receiver() + ".prod()" + all_kept(call);
  std::vector<std::int64_t> axes = axes_in(a, "dim", static_cast<std::int64_t>(call.input_shape().size()));
  std::sort(axes.rbegin(), axes.rend());
  std::string result = call.input().receiver();
  for (const std::int64_t axis : axes) result += ".prod(" + std::to_string(axis) + (keeps(a) ? ", keepdim=True)" : ")");
  return result;
}

TorchSource cumulative(const std::string& name) {
  return torch_code(name, [name](const SourceCall& call) -> Python {
    const Attributes& a = call.attributes();
    if (a.is_none("dim")) return call.input().receiver() + ".flatten()." + name + "(0)";
    return call.input().receiver() + "." + name + "(" + std::to_string(a.integer("dim")) + ")";
  });
}

Python vector_norm(const SourceCall& call) {
  const Attributes& a = call.attributes();
  std::vector<std::string> settings{call.input().text};
  if (a.number("p") != 2) settings.push_back(number_text(a.number("p")));
  for (std::string& setting : axes_settings(a)) settings.push_back(std::move(setting));
  return "torch.linalg.vector_norm(" + joined(settings) + ")";
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  std::vector<TorchSource> result{
      over_axes("mean"),
      over_axes("sum"),
      over_axes("nanmean"),
      over_axes("nansum"),
      bounded("amax", "maximum"),
      bounded("amin", "minimum"),
      over_axes("count_nonzero"),
      torch_code("diff", [](const SourceCall& call) { return call_of("torch.diff(input, *, n, dim)", call); }),
      one_or_all("max"),
      one_or_all("min"),
      spread("std"),
      spread("var"),
      one_or_all("argmax"),
      one_or_all("argmin"),
      one_or_all("all"),
      one_or_all("any"),
      torch_code("logsumexp",
                 [](const SourceCall& call) { return method(call, "logsumexp", axes_settings(call.attributes())); }),
      torch_code("norm", vector_norm),
      torch_code("prod", product),
      cumulative("cumsum"),
      cumulative("cumprod")};
  for (TorchSource& source : result) {
    source.output_names = {"values", "indices"};
    source.first = [call = source.call](const SourceCall& made) -> Python { return call(made).receiver() + ".values"; };
  }
  return result;
}

}  // namespace h5bridge::reduction
