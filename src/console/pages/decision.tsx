import { ActionForm, Dialog } from "../parts/dialog.tsx";

export interface DecisionProps {
  title: string;
  help: string;
  submit: string;
  isDangerous?: boolean;
  act: () => Promise<void>;
  onClose: () => void;
}

/** Asks once more before something that takes a while to make again. */
export function Decision({ title, help, submit, isDangerous = false, act, onClose }: DecisionProps) {
  const run = async () => {
    await act();
    onClose();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <ActionForm submit={submit} isDangerous={isDangerous} onClose={onClose} act={run}>
        <p>{help}</p>
      </ActionForm>
    </Dialog>
  );
}
