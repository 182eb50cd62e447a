#include "pytorch/torchscript/archive_writer.h"

#include <algorithm>
#include <map>
#include <set>

#include "files/pickle_writer.h"
#include "files/read_ahead.h"
#include "files/zip.h"
#include "h5bridge/error.h"
#include "model/tensor_view.h"
#include "passes/frozen.h"
#include "passes/infer_shapes.h"
#include "pytorch/tensor_code.h"
#include "pytorch/torchscript_code/modules.h"

namespace h5bridge {
namespace {

using torch_script::ScriptModule;

// Of the tensors in the state_dict those that no optimizer has: frozen parameters, and buffers.
std::set<std::string> without_gradients(const Model& model) {
  const std::vector<std::string> frozen = frozen_parameters(*model.architecture, model.trainable);
  std::set<std::string> result(frozen.begin(), frozen.end());
  result.insert(model.architecture->buffers.begin(), model.architecture->buffers.end());
  for (const NamedParameter& tensor : parameters_of(*model.architecture))
    if (tensor.spec.role != Role::Parameter) result.insert(tensor.name);
  return result;
}

/// Builds the pickle of the modules; number i of the tensors that it refers to goes to the entry data/i.
class ModulePickle {
 public:
  explicit ModulePickle(const Model& model) : model_(model), without_gradients_(without_gradients(model)) {}

  void module(const ScriptModule& module) {
    const std::size_t dot = module.class_name.rfind('.');
    code_.global(module.class_name.substr(0, dot), module.class_name.substr(dot + 1));
    code_.empty_tuple();
    code_.new_object();
    code_.empty_dict();
    code_.mark();
    for (const auto& [name, value] : module.attributes) {
      code_.text(name);
      if (const auto* child = std::get_if<std::unique_ptr<ScriptModule>>(&value))
        this->module(**child);
      else if (const auto* tensor = std::get_if<std::string>(&value))
        this->tensor(*tensor);
      else if (const auto* flag = std::get_if<bool>(&value))
        code_.boolean(*flag);
      else
        code_.none();
    }
    code_.set_items();
    code_.build();
  }

  std::string finish() { return code_.finish(); }
  const std::vector<Tensor>& tensors() const { return tensors_; }

 private:
  // Tied parameters are one object.
  void tensor(const std::string& name) {
    const Tensor* tensor = model_.weights.find(name);
    if (!tensor) throw MalformedFile("tensor \"" + name + "\" is missing");
    const bool trains = is_floating_point(tensor->dtype()) && !without_gradients_.contains(name);
    const auto [known, is_new] = storages_.emplace(view_of(*tensor), tensors_.size());
    if (is_new) tensors_.push_back(*tensor);
    code_.object("tensor " + std::to_string(known->second) + (trains ? "" : " frozen"),
                 [&] { put_tensor(code_, tensor->dtype(), tensor->shape(), std::to_string(known->second), trains); });
  }

  const Model& model_;
  const std::set<std::string> without_gradients_;
  pickle::Writer code_;
  std::vector<Tensor> tensors_;
  std::map<TensorView, std::size_t> storages_;
};

}  // namespace

void write_torchscript_file(const Model& model, const std::string& architecture, const ArchiveRecords& records,
                            std::ostream& out) {
  if (!model.architecture) throw UsageError("needs an architecture, and the sources have none");
  const torch_script::Script script = torch_script::script_of(model);
  ModulePickle pickle(model);
  pickle.module(script.root);

  const std::string folder = "archive/";
  ZipWriter zip(out);
  zip.add(folder + "extra/h5bridge.json", architecture);
  for (const auto& [name, content] : records) zip.add(folder + name, content);
  ReadAhead data(pickle.tensors());
  for (std::size_t i = 0; i < pickle.tensors().size(); ++i) {
    const std::uint64_t size = pickle.tensors()[i].byte_count();
    zip.add(folder + "data/" + std::to_string(i), size, [&](const ZipWriter::Sink& sink) { data.pass(size, sink); });
  }
  zip.add(folder + "data.pkl", pickle.finish());
  for (const auto& [file, code] : script.code) zip.add(folder + "code/" + file, code);
  zip.add(folder + "constants.pkl", std::string("\x80\x02).", 4));
  // That of PyTorch 1.13 and later: the operators mean what they mean there.
  zip.add(folder + "version", "10\n");
  zip.add(folder + "byteorder", "little");
  zip.finish();
}

}  // namespace h5bridge
