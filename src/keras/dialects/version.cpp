#include "keras/dialects/version.h"

#include <array>
#include <charconv>

#include "h5bridge/error.h"

namespace h5bridge {

KerasVersion keras_version_of(std::string_view text) {
  std::array<int, 3> parts{};
  std::string_view rest = text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), parts[i]);
    if (error != std::errc() || parts[i] > 99 || parts[i] < 0)
      throw MalformedFile("the version of Keras is \"" + std::string(text.substr(0, 40)) +
                          "\", expected one like 2.2.4");
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (!rest.starts_with('.')) break;
    rest.remove_prefix(1);
  }
  const int number = parts[0] * 10000 + parts[1] * 100 + parts[2];
  if (number >= 30000) return {KerasLine::Keras3, number};
  // Standalone Keras ended with 2.3.1; from 2.4 on, the package keras is tf.keras.
  const bool is_tensorflow = text.ends_with("-tf") || number >= 20400;
  return {is_tensorflow ? KerasLine::TensorFlow : KerasLine::Standalone, number};
}

bool states_before_3(std::string_view text) { return !text.empty() && keras_version_of(text).is_before_3(); }

}  // namespace h5bridge
