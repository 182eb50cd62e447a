#include "cli/examples.h"

#include <map>

namespace h5bridge::cli {

std::vector<Example> examples_of(const std::string& command) {
  static const std::map<std::string, std::vector<Example>> examples{
      {"convert",
       {{"to Keras, only if both compute the same", "h5bridge convert net.json net.pth -o net.keras --check"},
        {"home, and as source", "h5bridge convert net.keras -o home.pth -o net.py"},
        {"with inputs and outputs to replay", "h5bridge convert net.keras -o guarded.keras --reference 4"}}},
      {"inspect", {{"all there is to see", "h5bridge inspect net.pth"}}},
      {"validate", {{"whether the two belong together", "h5bridge validate net.json net.pth"}}},
      {"run", {{"predictions", "h5bridge run net.keras --input x.npy -o y.npy"}}},
      {"verify",
       {{"beside what is expected", "h5bridge verify net.keras --input x.npy --expect y.npy"},
        {"a reference that the file keeps", "h5bridge verify guarded.keras"}}},
      {"compare",
       {{"their tensors", "h5bridge compare net.pth home.pth"},
        {"what they compute, too, as a page",
         "h5bridge compare net.keras guarded.keras --random-inputs 4 -o difference.html"}}},
      {"plot", {{"a picture", "h5bridge plot net.keras -o net.svg"}}},
      {"completion", {{"in this shell", "source <(h5bridge completion bash)"}}},
  };
  const auto found = examples.find(command);
  return found == examples.end() ? std::vector<Example>() : found->second;
}

std::string examples_text(const std::string& command) {
  std::string text;
  for (const auto& [what, line] : examples_of(command)) text += "  " + line + "\n      " + what + "\n";
  return text.empty() ? text : "Examples:\n" + text;
}

}  // namespace h5bridge::cli
