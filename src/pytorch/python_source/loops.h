// What is done with one module of a list after the other, as a loop.
#pragma once

#include <string>
#include <vector>

#include "pytorch/python_source/calls.h"

namespace h5bridge::torch_source {

/// Items of a forward that do the same with successive modules of lists: `period` of them, `count` times.
struct Repetition {
  std::size_t first = 0;
  std::size_t period = 0;
  std::size_t count = 0;
  std::size_t end() const { return first + period * count; }
};

/// By their kinds alone: whether their statements are the same shows when they are written. They do not overlap.
std::vector<Repetition> repetitions_in(const ModuleTree& tree, const SourceModule& module,
                                       const std::vector<SourceItem>& items);

/// A list of modules that `module` holds, as its code reaches it.
struct ListOfModules {
  std::string path;  // "self.layers"
  std::string one;   // what one of them is called: "layer"
  std::size_t size = 0;
};
std::vector<ListOfModules> lists_in(const SourceModule& module);

/// `parts` are the statements of the successive times. As one loop, where they differ in nothing but the numbers of
/// the lists' modules, which are successive; all statements as they are otherwise. Indented statements begin with four
/// spaces. `taken` are names that the loop's variables may not have.
std::vector<std::string> as_loop(const std::vector<std::vector<std::string>>& parts,
                                 const std::vector<ListOfModules>& lists, const std::vector<std::string>& taken);

}  // namespace h5bridge::torch_source
