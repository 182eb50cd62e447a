// Which Keras wrote a file. Versions of standalone Keras, of tf.keras and of Keras 3 count on from one another, but the
// same number does not mean the same code: 2.2.4 and 2.2.4-tf differ.
#pragma once

#include <string>
#include <string_view>

namespace h5bridge {

enum class KerasLine {
  Standalone,  // keras up to 2.3, and those before 2
  TensorFlow,  // tf.keras, and keras 2.4 to 2.15, which is the same
  Keras3,
};

struct KerasVersion {
  KerasLine line;
  int number;  // 20204 for 2.2.4

  bool is_before_3() const { return line != KerasLine::Keras3; }
  bool is_before_2() const { return number < 20000; }
};

/// The version that a file states as its keras_version: "1.2.2", "2.2.4", "2.2.4-tf", "3.15.1". Throws MalformedFile
/// for a text that is no version.
KerasVersion keras_version_of(std::string_view text);

/// Whether a file that states `text`, which may be empty, says that it is older than Keras 3. Throws as the former.
bool states_before_3(std::string_view text);

}  // namespace h5bridge
