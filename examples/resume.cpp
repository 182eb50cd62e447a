// Trains on where a checkpoint stopped: resume MODEL.json CHECKPOINT.pth NEW.pth
#include <h5bridge/h5bridge.h>
#include <h5bridge/torch.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc != 4) throw h5bridge::UsageError("resume MODEL.json CHECKPOINT.pth NEW.pth");
  const h5bridge::Model model = h5bridge::load({argv[1], argv[2]});
  const std::shared_ptr<h5bridge::Module> net = h5bridge::to_module(model);  // in train() mode; what was frozen is so
  const std::unique_ptr<torch::optim::Optimizer> optimizer = h5bridge::to_optimizer(model, *net);

  std::vector<std::int64_t> sizes;
  const h5bridge::SymbolicShape shape = net->input_shapes().at(0);
  for (const h5bridge::Size& size : shape) sizes.push_back(size.value().value_or(8));
  optimizer->zero_grad();
  const torch::Tensor loss = net->forward(torch::rand(sizes)).square().mean();
  loss.backward();
  optimizer->step();

  const std::int64_t epoch = model.training->epoch.value_or(0) + 1;
  const h5bridge::Model trained = h5bridge::capture(*net, *optimizer, {epoch, loss.item<double>()});
  for (const std::string& note : h5bridge::save(trained, argv[3], {.checkpoint = true})) std::cerr << note << '\n';
  return 0;
} catch (const h5bridge::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.status());
} catch (const std::exception& error) {  // of LibTorch's own functions
  std::cerr << "resume: " << error.what() << '\n';
  return 2;
}
