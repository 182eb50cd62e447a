// Python as TorchScript: what torch.jit.load reads as code. Its functions are ATen's, under the name of torch; types of
// elements are numbers; what torch.nn has is written out.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "facets/torch_source/source.h"

namespace h5bridge::torch_script {

/// A string literal. What is not plain ASCII is bytes of UTF-8, in octal.
std::string literal(std::string_view text);

class Translator {
 public:
  /// `helpers`: the functions of ours that the Python may call.
  explicit Translator(const std::vector<const PythonHelper*>& helpers);

  /// Statements of Python that our own writer has made, or expressions. Throws Unsupported for a helper without
  /// TorchScript.
  std::string translated(std::string_view python);
  /// The definitions of all functions that the texts so far call, whose module is "__torch__.functional".
  std::string functions() const;

 private:
  std::string name(const std::string& dotted, std::string_view rest);
  std::string function(const std::string& name, const char* source);

  std::map<std::string, const PythonHelper*> helpers_;
  std::map<std::string, std::string> functions_;
};

}  // namespace h5bridge::torch_script
