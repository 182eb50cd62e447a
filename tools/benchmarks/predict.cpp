// Predicts with one model as often as it is told to, and says how long that took: tools/bench takes turns with it.
//
//   h5bridge_predict THREADS SOURCE... --input INPUTS.npz
//
// On standard input, a line each: "module N" and "plan N" predict N times and print the seconds that one took;
// "difference" prints the largest of all outputs, in units of the output's largest value.
#include <chrono>
#include <iostream>
#include <sstream>

#include "facets/libtorch/tensors.h"
#include "files/npy.h"
#include "h5bridge/h5bridge.h"
#include "h5bridge/torch.h"

namespace {

using Tensors = std::map<std::string, torch::Tensor>;

Tensors arrays(const std::string& path) {
  Tensors result;
  for (const h5bridge::NamedTensor& array : h5bridge::read_npz(h5bridge::open_file(path)))
    result.emplace(array.name, h5bridge::to_torch(array.tensor));
  return result;
}

template <typename Predict>
double seconds(int count, Predict&& predict) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) predict();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / count;
}

double difference(const std::vector<torch::Tensor>& found, const std::vector<torch::Tensor>& expected) {
  double result = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const torch::Tensor wanted = expected[i].to(torch::kDouble);
    const double largest = std::max((found[i].to(torch::kDouble) - wanted).abs().max().item<double>(), 0.0);
    result = std::max(result, largest / std::max(wanted.abs().max().item<double>(), 1e-30));
  }
  return result;
}

int run(const std::vector<std::string>& arguments) {
  at::set_num_threads(std::stoi(arguments.at(0)));
  const std::vector<std::string> sources(arguments.begin() + 1, arguments.end() - 2);
  const auto module = h5bridge::to_module(h5bridge::load(sources));
  module->eval();
  const auto plan = h5bridge::compile(module);
  const torch::InferenceMode inference;
  const Tensors named = arrays(arguments.back());
  std::vector<torch::Tensor> inputs;
  for (const std::string& name : module->input_names()) inputs.push_back(named.at(name));

  const auto by_module = [&] { return module->forward(inputs); };
  const auto by_plan = [&] { return plan->forward(inputs); };
  for (int i = 0; i < 3; ++i) by_plan();
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string what;
    int count = 1;
    words >> what >> count;
    std::cout << (what == "module" ? seconds(count, by_module)
                  : what == "plan" ? seconds(count, by_plan)
                                   : difference(by_plan(), by_module()))
              << std::endl;
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    std::cerr << "h5bridge_predict: " << error.what() << "\n";
    return 1;
  }
}
