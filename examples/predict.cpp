// Rebuilds a model as a torch::nn::Module and runs it on random numbers: predict MODEL.h5 SIZE...
#include <h5bridge/h5bridge.h>
#include <h5bridge/torch.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc < 3) throw h5bridge::UsageError("predict MODEL.h5 SIZE...");
  const std::shared_ptr<h5bridge::Module> net = h5bridge::to_module(h5bridge::load(argv[1]));
  net->eval();
  for (const auto& parameter : net->named_parameters())
    std::cout << parameter.key() << ' ' << parameter.value().sizes() << '\n';

  std::vector<std::int64_t> sizes;
  for (int i = 2; i < argc; ++i) sizes.push_back(std::stoll(argv[i]));
  std::cout << net->forward(torch::rand(sizes)) << '\n';
  return 0;
} catch (const h5bridge::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.status());
} catch (const std::exception& error) {  // of the standard library's std::stoll, and of LibTorch's own torch::rand
  std::cerr << "predict: " << error.what() << '\n';
  return 2;
}
