#include <algorithm>
#include <iomanip>
#include <sstream>
#include <stdexcept>

#include "files/little_endian.h"
#include "files/pickle_writer.h"
#include "files/read_ahead.h"
#include "h5bridge/error.h"
#include "model/tensor_view.h"
#include "pytorch/file.h"
#include "pytorch/tensor_code.h"

namespace h5bridge {
namespace {

/// Builds the pickle, and collects the tensors that it refers to: number i goes to the entry data/i.
class CheckpointWriter {
 public:
  explicit CheckpointWriter(const Model& model) : model_(model) {}

  void state_dict() {
    code_.ordered_dict();
    code_.mark();
    for (const auto& [name, tensor] : model_.weights) {
      code_.text(name);
      this->tensor(tensor);
    }
    code_.set_items();
    const Json* torch = model_.metadata.find("torch");
    const Json* metadata = torch ? torch->find("state_dict_metadata") : nullptr;
    if (!metadata || !metadata->is_object()) return;
    code_.empty_dict();
    code_.mark();
    code_.text("_metadata");
    code_.ordered_dict();
    members(metadata->as_object());
    code_.set_items();
    code_.build();
  }

  void checkpoint(bool with_optimizer) {
    const Training training = model_.training.value_or(Training{});
    if (with_optimizer && !training.optimizer)
      throw Unsupported(
          "a checkpoint holds the optimizer's state, and the model has none (SaveOptions::optimizer = false leaves it "
          "out)");
    code_.empty_dict();
    code_.mark();
    std::vector<std::pair<std::string, Json>> further = further_entries(model_, true);
    // What the source has under that name, where it is another thing than a number, stands among the further entries.
    const auto number_or_further = [&](std::string_view name, const auto& number, auto&& write) {
      const auto found = std::ranges::find(further, name, &std::pair<std::string, Json>::first);
      code_.text(name);
      if (number && (found == further.end() || found->second.is_null()))
        write(*number);
      else if (found != further.end())
        plain(found->second);
      else
        code_.none();
      if (found != further.end()) further.erase(found);
    };
    number_or_further("epoch", training.epoch, [&](std::int64_t epoch) { code_.integer(epoch); });
    code_.text("model_state_dict");
    state_dict();
    if (with_optimizer) {
      code_.text("optimizer_state_dict");
      optimizer(*training.optimizer);
    }
    number_or_further("loss", training.loss, [&](double loss) { code_.real(loss); });
    for (const auto& [name, value] : further) {
      code_.text(name);
      plain(value);
    }
    code_.set_items();
  }

  std::string finish() { return code_.finish(); }
  const std::vector<Tensor>& tensors() const { return tensors_; }

 private:
  /// A tensor as torch.save pickles it: contiguous, on the CPU, in a storage of its own or that of its twin.
  void tensor(const Tensor& tensor) {
    put_tensor(code_, tensor.dtype(), tensor.shape(), std::to_string(storage_number(tensor)));
  }

  std::size_t storage_number(const Tensor& tensor) {
    const auto [known, is_new] = storages_.emplace(view_of(tensor), tensors_.size());
    if (is_new) tensors_.push_back(tensor);
    return known->second;
  }

  void optimizer(const Optimizer& optimizer) {
    code_.empty_dict();
    code_.mark();
    code_.text("state");
    code_.empty_dict();
    code_.mark();
    std::int64_t number = 0;
    for (const Json::Object& group : optimizer.groups)
      for (const Json& parameter : parameters(group)) slots(optimizer, parameter, number++);
    code_.set_items();
    code_.text("param_groups");
    code_.empty_list();
    code_.mark();
    number = 0;
    for (const Json::Object& group : optimizer.groups) this->group(group, number);
    code_.append();
    code_.set_items();
  }

  static const Json::Array& parameters(const Json::Object& group) {
    if (const Json* parameters = group.find("params")) return parameters->as_array();
    throw std::logic_error("an optimizer's group lists no parameters");
  }

  void slots(const Optimizer& optimizer, const Json& parameter, std::int64_t number) {
    const auto found =
        optimizer.slots.find(parameter.is_string() ? parameter.as_string() : std::to_string(parameter.as_integer()));
    if (found == optimizer.slots.end()) return;
    code_.integer(number);
    code_.empty_dict();
    code_.mark();
    for (const auto& [name, tensor] : found->second) {
      code_.text(name);
      this->tensor(tensor);
    }
    code_.set_items();
  }

  /// Every sequence among torch.optim's hyperparameters is a tuple; "params" and "param_names" are lists.
  void group(const Json::Object& group, std::int64_t& number) {
    code_.empty_dict();
    code_.mark();
    for (const auto& [name, setting] : group) {
      code_.text(name);
      if (name == "params" || name == "param_names") {
        code_.empty_list();
        code_.mark();
        for (const Json& item : setting.as_array()) name == "params" ? code_.integer(number++) : json(item);
        code_.append();
      } else {
        json(setting);
      }
    }
    code_.set_items();
  }

  void json(const Json& value) {
    if (value.is_null()) return code_.none();
    if (value.is_bool()) return code_.boolean(value.as_bool());
    if (value.is_integer()) return code_.integer(value.as_integer());
    if (value.is_float()) return code_.real(value.as_float());
    if (value.is_string()) return code_.text(value.as_string());
    if (value.is_array()) {
      code_.mark();
      for (const Json& item : value.as_array()) json(item);
      return code_.tuple();
    }
    code_.empty_dict();
    members(value.as_object());
  }

  /// What was a list and a dict is one again.
  void plain(const Json& value) {
    if (!value.is_array() && !value.is_object()) return json(value);
    value.is_array() ? code_.empty_list() : code_.empty_dict();
    code_.mark();
    if (value.is_array())
      for (const Json& item : value.as_array()) plain(item);
    else
      for (const auto& [name, item] : value.as_object()) {
        code_.text(name);
        plain(item);
      }
    value.is_array() ? code_.append() : code_.set_items();
  }

  /// Fills the dict that is on the stack.
  void members(const Json::Object& object) {
    code_.mark();
    for (const auto& [name, value] : object) {
      code_.text(name);
      json(value);
    }
    code_.set_items();
  }

  const Model& model_;
  pickle::Writer code_;
  std::vector<Tensor> tensors_;
  std::map<TensorView, std::size_t> storages_;
};

/// torch's identification of a file is a hash of its entries' names and one of their checksums, 20 digits each.
std::string serialization_id(const std::vector<ZipWriter::Written>& entries) {
  std::uint64_t names = 14695981039346656037U;  // FNV-1a
  std::uint64_t checksums = names;
  const auto mix = [](std::uint64_t& hash, std::uint64_t value) { hash = (hash ^ value) * 1099511628211U; };
  for (const ZipWriter::Written& entry : entries) {
    for (const char letter : entry.name) mix(names, static_cast<unsigned char>(letter));
    mix(checksums, entry.crc32);
  }
  std::ostringstream text;
  text << std::setfill('0') << std::setw(20) << names << std::setw(20) << checksums;
  return text.str();
}

}  // namespace

std::vector<std::pair<std::string, Json>> further_entries(const Model& model, bool plain) {
  std::vector<std::pair<std::string, Json>> result;
  const Json* torch = model.metadata.find("torch");
  const Json* entries = torch ? torch->find("checkpoint") : nullptr;
  const Json* described = torch ? torch->find("described") : nullptr;
  if (!entries || !entries->is_object()) return result;
  for (const auto& [name, value] : entries->as_object()) {
    const bool is_described =
        described && described->is_array() && std::ranges::count(described->as_array(), Json(name));
    // In the places of these stands what the model itself has.
    const bool is_taken = name == "model_state_dict" || name == "optimizer_state_dict";
    if (plain == !(is_described || is_taken)) result.emplace_back(name, value);
  }
  return result;
}

void write_torch_file(const Model& model, std::ostream& out, const TorchWriteOptions& options) {
  CheckpointWriter checkpoint(model);
  if (options.checkpoint)
    checkpoint.checkpoint(options.optimizer);
  else
    checkpoint.state_dict();

  const std::string folder = "archive/";
  ZipWriter zip(out);
  zip.add(folder + "data.pkl", checkpoint.finish());
  zip.add(folder + ".format_version", "1");
  zip.add(folder + ".storage_alignment", "64");
  zip.add(folder + "byteorder", "little");
  ReadAhead data(checkpoint.tensors());
  for (std::size_t i = 0; i < checkpoint.tensors().size(); ++i) {
    const std::uint64_t size = checkpoint.tensors()[i].byte_count();
    zip.add(folder + "data/" + std::to_string(i), size, [&](const ZipWriter::Sink& sink) { data.pass(size, sink); });
  }
  for (const auto& [name, content] : options.records) zip.add(folder + name, content);
  zip.add(folder + "version", "3\n");
  zip.add(folder + ".data/serialization_id", serialization_id(zip.entries()));
  zip.finish();
}

}  // namespace h5bridge
