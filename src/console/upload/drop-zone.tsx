import { useEffect, useRef, useState } from "preact/hooks";
import { WORDS } from "../words.ts";
import { chosenFiles, type Dropped, droppedFiles } from "./dropped.ts";

/** Takes files that are dropped anywhere on the page, or chosen. */
export function DropZone({ onFiles }: { onFiles: (files: readonly Dropped[]) => void }) {
  const [isOver, setOver] = useState(false);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const latest = useRef(onFiles);
  latest.current = onFiles;
  useEffect(() => {
    const carriesFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
    const over = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      if (!carriesFiles(event) || event.dataTransfer === null) return;
      event.preventDefault();
      setOver(false);
      void droppedFiles(event.dataTransfer).then((dropped) => latest.current(dropped));
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
    };
  }, []);
  const take = (event: { currentTarget: HTMLInputElement }) => {
    const input = event.currentTarget;
    latest.current(chosenFiles(input.files ?? ([] as unknown as FileList)));
    input.value = "";
  };
  return (
    <div class={`drop${isOver ? " over" : ""}`}>
      <p>{isOver ? WORDS.files.dropNow : WORDS.files.drop}</p>
      <div class="row center">
        <button type="button" onClick={() => files.current?.click()}>
          {WORDS.files.choose}
        </button>
        <button type="button" onClick={() => folder.current?.click()}>
          {WORDS.files.chooseFolder}
        </button>
      </div>
      <input class="files" type="file" multiple hidden ref={files} onChange={take} />
      <input type="file" hidden ref={folder} onChange={take} {...{ webkitdirectory: true }} />
    </div>
  );
}
