// The modules of a PyTorch source by the dotted names of a state_dict: "layer1.0.conv1" is conv1 in 0 in layer1.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "facets/torch_source/source.h"
#include "h5bridge/model.h"
#include "model/architecture_index.h"
#include "passes/branches.h"
#include "passes/infer_types.h"

namespace h5bridge::torch_source {

/// What is written of the tree: a Python file, or the code of a TorchScript archive, in which what has no state and is
/// a function as well is one.
enum class Language { Python, TorchScript };

/// A tensor that a module holds itself.
struct OwnTensor {
  Shape shape;
  DType dtype = DType::Float32;
  bool is_parameter = true;
};

struct SourceModule {
  std::string name;  // the last part of its path; empty: the network itself
  std::string path;
  SourceModule* parent = nullptr;
  std::vector<std::unique_ptr<SourceModule>> children =
      {};                                // in PyTorch's order of registration, as far as it is known
  const Layer* layer = nullptr;          // what it is, if its class is no one's here
  std::optional<OwnTensor> tensor = {};  // it is no module, but a tensor
  std::vector<std::size_t> nodes = {};   // by number, in order: the calls that it makes itself
  bool is_called = false;                // it has a forward; otherwise its parts are called by others

  bool is_leaf() const { return layer || tensor; }
  /// It is the layer that the network itself is, whose class is derived from that layer's.
  bool is_base() const { return parent && !parent->parent && name.empty(); }
  SourceModule* find(const std::string& child) const;
  const SourceModule* base() const { return find(""); }
};

/// The tree, and what there is to know of the calls.
class ModuleTree {
 public:
  /// Throws Unsupported naming all layers that have no Python source. The model stays where and as it is.
  explicit ModuleTree(const Model& model, Language language = Language::Python);
  ModuleTree(const ModuleTree&) = delete;

  Language language() const { return language_; }
  const Architecture& architecture() const { return architecture_; }
  const ArchitectureIndex& index() const { return index_; }
  const Types& types() const { return types_; }
  const Branches& branches() const { return branches_; }
  SourceModule& root() { return root_; }
  const SourceModule& root() const { return root_; }

  /// The way to write a layer, as it is defined.
  const TorchSource& source_of(const Layer& layer) const { return *sources_.at(layer.name); }
  /// Where a layer stands that is a module or a tensor; nullptr for a function.
  SourceModule* module_of(const Layer& layer) const;
  const Layer& layer_of(std::size_t node) const { return index_.layer_of(architecture_.nodes[node]); }

 private:
  SourceModule& insert(const std::string& path);
  SourceModule& insert_base();
  std::set<std::string> operands_given_to(const Layer& layer) const;
  std::vector<Layer> as_called(const Layer& layer) const;
  void add_layers(const Model& model);
  static void sort_numbered(SourceModule& module);
  void sort_registered();
  static void sort_by_places(SourceModule& module, const std::map<std::string_view, std::size_t>& places);
  void add_tensors(const Model& model);

  Language language_;
  const Architecture& architecture_;
  ArchitectureIndex index_;
  Types types_;
  Branches branches_;
  SourceModule root_;
  std::map<std::string, const TorchSource*> sources_;
  std::map<std::string, SourceModule*> modules_;  // by the layer's name
};

}  // namespace h5bridge::torch_source
