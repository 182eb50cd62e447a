// What somebody writes who only wants to predict once with a TorchScript archive: load it, and call forward.
// tools/bench measures `h5bridge run` beside it.
//
//   h5bridge_jit_load FILE.ts SIZE...    one float32 input of these sizes
#include <torch/script.h>

#include <iostream>
#include <string>
#include <vector>

int main(int count, char** arguments) {
  try {
    const torch::InferenceMode inference;
    torch::jit::Module module = torch::jit::load(arguments[1]);
    module.eval();
    std::vector<std::int64_t> sizes;
    for (int i = 2; i < count; ++i) sizes.push_back(std::stoll(arguments[i]));
    const torch::Tensor output = module.forward({torch::zeros(sizes)}).toTensor();
    return output.isfinite().all().item<bool>() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "h5bridge_jit_load: " << error.what() << "\n";
    return 1;
  }
}
