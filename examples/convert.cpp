// Converts a model, and says what is in it: convert SOURCE... DEST
#include <h5bridge/h5bridge.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc < 3) throw h5bridge::UsageError("convert SOURCE... DEST");
  const h5bridge::Model model = h5bridge::load({argv + 1, argv + argc - 1});  // weights stay on disk until used
  for (const auto& [name, tensor] : model.weights)
    std::cout << name << ' ' << h5bridge::to_string(tensor.shape()) << '\n';
  h5bridge::save(model, argv[argc - 1]);
  return 0;
} catch (const h5bridge::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.status());
}
