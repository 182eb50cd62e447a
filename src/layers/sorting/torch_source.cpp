#include "facets/torch_source/signature.h"

namespace h5bridge::sorting {
namespace {

Python searchsorted(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const bool right = a.boolean("right") || (!a.is_none("side") && a.text("side") == "right");
  return "torch.searchsorted(" + call.input(0).text + ", " + call.input(1).receiver() + ".contiguous()" +
         (a.boolean("out_int32") ? ", out_int32=True" : "") + (right ? ", right=True" : "") + ")";
}

Python bucketize(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const std::string x = call.input().text;
  std::string boundaries;
  if (a.is_none("boundaries")) {
    boundaries = call.input(1).text;
  } else {
    std::vector<std::string> numbers;
    for (const double number : a.numbers("boundaries")) numbers.push_back(python_float(number));
    boundaries = "torch.tensor(" + python_list(numbers) +
                 ", dtype=" + python_value(AttributeValue(call.input_types.at(0).at(0).dtype)).text +
                 ", device=" + call.place.device() + ")";
  }
  return "torch.bucketize(" + x + ", " + boundaries + (a.boolean("out_int32") ? ", out_int32=True" : "") +
         (a.boolean("right") ? ", right=True" : "") + ")";
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  std::vector<TorchSource> result{torch_function("torch.sort(input, *, dim, descending, stable)"),
                                  torch_function("torch.argsort(input, *, dim, descending, stable)"),
                                  torch_function("torch.topk(input, k, *, dim, largest, sorted)"),
                                  torch_function("torch.kthvalue(input, k, *, dim, keepdim)"),
                                  torch_function("torch.median(input, *, dim, keepdim)"),
                                  torch_function("torch.nanmedian(input, *, dim, keepdim)"),
                                  torch_function("torch.cummax(input, *, dim)"),
                                  torch_function("torch.cummin(input, *, dim)"),
                                  torch_code("searchsorted", searchsorted),
                                  torch_code("bucketize", bucketize)};
  for (TorchSource& source : result) {
    source.output_names = {"values", "indices"};
    source.first = [call = source.call](const SourceCall& made) -> Python { return call(made).receiver() + ".values"; };
  }
  return result;
}

}  // namespace h5bridge::sorting
