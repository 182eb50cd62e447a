#include "convert/formats/keras_destination.h"

#include <algorithm>
#include <iterator>

#include "convert/configuration_note.h"
#include "convert/torch_notes.h"
#include "h5bridge/error.h"
#include "keras/masked_merges.h"
#include "keras/to_keras_2/form.h"

namespace h5bridge {

KerasFile keras_destination(const Model& model, KerasForm form, const SaveOptions& options, Notes& notes) {
  // Nothing of PyTorch's is lost where it has a place. An old Keras's optimizer has none in any file; a note says so.
  if (options.optimizer && model.framework == Framework::Torch && !model.optimizer_left_out.empty())
    throw Unsupported(model.optimizer_not_in_keras.empty()
                          ? "the optimizer cannot be kept: " + model.optimizer_left_out
                          : model.optimizer_not_in_keras +
                                "; SaveOptions::optimizer = false leaves the optimizer out; besides, " +
                                model.optimizer_left_out);
  if (options.optimizer) note_entries(model, Entries::NotPlain, notes);  // others ride along
  if (options.keras == 2 && form == KerasForm::Objects)
    throw UsageError("SaveOptions::keras 2 is for .h5: Keras 2 has neither .keras nor this form of weights");
  if (options.keras == 2 && model.architecture) refuse_merging_by_masks(*model.architecture);
  KerasFile file = keras_from_model(model, form, options, notes);
  if (options.keras == 2) std::ranges::move(into_keras_2(file), std::back_inserter(notes));
  note_configuration(file);
  return file;
}

}  // namespace h5bridge
