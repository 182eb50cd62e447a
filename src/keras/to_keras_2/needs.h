// What a file for Keras 2 asks of the Keras that loads it, as it shows while the file is put into that form.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace h5bridge {

struct KerasNeeds {
  std::map<int, std::vector<std::string>> by_release;  // TensorFlow's, 2.4.0 as 20400: what asks for it
  std::vector<std::string> missing;                    // what no Keras 2 has
  std::vector<std::string> notes;

  void need(int release, const std::string& what) { by_release[release].push_back(what); }
};

}  // namespace h5bridge
