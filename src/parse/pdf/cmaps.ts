/**
 * Character maps of CJK fonts that a PDF names but does not embed. Each is an asset of its own, so
 * that it is there in the compiled binary too; without them such text comes out empty.
 */
import c78_EUC_H from "pdfjs-dist/cmaps/78-EUC-H.bcmap" with { type: "file" };
import c78_EUC_V from "pdfjs-dist/cmaps/78-EUC-V.bcmap" with { type: "file" };
import c78_H from "pdfjs-dist/cmaps/78-H.bcmap" with { type: "file" };
import c78_RKSJ_H from "pdfjs-dist/cmaps/78-RKSJ-H.bcmap" with { type: "file" };
import c78_RKSJ_V from "pdfjs-dist/cmaps/78-RKSJ-V.bcmap" with { type: "file" };
import c78_V from "pdfjs-dist/cmaps/78-V.bcmap" with { type: "file" };
import c78ms_RKSJ_H from "pdfjs-dist/cmaps/78ms-RKSJ-H.bcmap" with { type: "file" };
import c78ms_RKSJ_V from "pdfjs-dist/cmaps/78ms-RKSJ-V.bcmap" with { type: "file" };
import c83pv_RKSJ_H from "pdfjs-dist/cmaps/83pv-RKSJ-H.bcmap" with { type: "file" };
import c90ms_RKSJ_H from "pdfjs-dist/cmaps/90ms-RKSJ-H.bcmap" with { type: "file" };
import c90ms_RKSJ_V from "pdfjs-dist/cmaps/90ms-RKSJ-V.bcmap" with { type: "file" };
import c90msp_RKSJ_H from "pdfjs-dist/cmaps/90msp-RKSJ-H.bcmap" with { type: "file" };
import c90msp_RKSJ_V from "pdfjs-dist/cmaps/90msp-RKSJ-V.bcmap" with { type: "file" };
import c90pv_RKSJ_H from "pdfjs-dist/cmaps/90pv-RKSJ-H.bcmap" with { type: "file" };
import c90pv_RKSJ_V from "pdfjs-dist/cmaps/90pv-RKSJ-V.bcmap" with { type: "file" };
import cAdd_H from "pdfjs-dist/cmaps/Add-H.bcmap" with { type: "file" };
import cAdd_RKSJ_H from "pdfjs-dist/cmaps/Add-RKSJ-H.bcmap" with { type: "file" };
import cAdd_RKSJ_V from "pdfjs-dist/cmaps/Add-RKSJ-V.bcmap" with { type: "file" };
import cAdd_V from "pdfjs-dist/cmaps/Add-V.bcmap" with { type: "file" };
import cAdobe_CNS1_0 from "pdfjs-dist/cmaps/Adobe-CNS1-0.bcmap" with { type: "file" };
import cAdobe_CNS1_1 from "pdfjs-dist/cmaps/Adobe-CNS1-1.bcmap" with { type: "file" };
import cAdobe_CNS1_2 from "pdfjs-dist/cmaps/Adobe-CNS1-2.bcmap" with { type: "file" };
import cAdobe_CNS1_3 from "pdfjs-dist/cmaps/Adobe-CNS1-3.bcmap" with { type: "file" };
import cAdobe_CNS1_4 from "pdfjs-dist/cmaps/Adobe-CNS1-4.bcmap" with { type: "file" };
import cAdobe_CNS1_5 from "pdfjs-dist/cmaps/Adobe-CNS1-5.bcmap" with { type: "file" };
import cAdobe_CNS1_6 from "pdfjs-dist/cmaps/Adobe-CNS1-6.bcmap" with { type: "file" };
import cAdobe_CNS1_UCS2 from "pdfjs-dist/cmaps/Adobe-CNS1-UCS2.bcmap" with { type: "file" };
import cAdobe_GB1_0 from "pdfjs-dist/cmaps/Adobe-GB1-0.bcmap" with { type: "file" };
import cAdobe_GB1_1 from "pdfjs-dist/cmaps/Adobe-GB1-1.bcmap" with { type: "file" };
import cAdobe_GB1_2 from "pdfjs-dist/cmaps/Adobe-GB1-2.bcmap" with { type: "file" };
import cAdobe_GB1_3 from "pdfjs-dist/cmaps/Adobe-GB1-3.bcmap" with { type: "file" };
import cAdobe_GB1_4 from "pdfjs-dist/cmaps/Adobe-GB1-4.bcmap" with { type: "file" };
import cAdobe_GB1_5 from "pdfjs-dist/cmaps/Adobe-GB1-5.bcmap" with { type: "file" };
import cAdobe_GB1_UCS2 from "pdfjs-dist/cmaps/Adobe-GB1-UCS2.bcmap" with { type: "file" };
import cAdobe_Japan1_0 from "pdfjs-dist/cmaps/Adobe-Japan1-0.bcmap" with { type: "file" };
import cAdobe_Japan1_1 from "pdfjs-dist/cmaps/Adobe-Japan1-1.bcmap" with { type: "file" };
import cAdobe_Japan1_2 from "pdfjs-dist/cmaps/Adobe-Japan1-2.bcmap" with { type: "file" };
import cAdobe_Japan1_3 from "pdfjs-dist/cmaps/Adobe-Japan1-3.bcmap" with { type: "file" };
import cAdobe_Japan1_4 from "pdfjs-dist/cmaps/Adobe-Japan1-4.bcmap" with { type: "file" };
import cAdobe_Japan1_5 from "pdfjs-dist/cmaps/Adobe-Japan1-5.bcmap" with { type: "file" };
import cAdobe_Japan1_6 from "pdfjs-dist/cmaps/Adobe-Japan1-6.bcmap" with { type: "file" };
import cAdobe_Japan1_UCS2 from "pdfjs-dist/cmaps/Adobe-Japan1-UCS2.bcmap" with { type: "file" };
import cAdobe_Korea1_0 from "pdfjs-dist/cmaps/Adobe-Korea1-0.bcmap" with { type: "file" };
import cAdobe_Korea1_1 from "pdfjs-dist/cmaps/Adobe-Korea1-1.bcmap" with { type: "file" };
import cAdobe_Korea1_2 from "pdfjs-dist/cmaps/Adobe-Korea1-2.bcmap" with { type: "file" };
import cAdobe_Korea1_UCS2 from "pdfjs-dist/cmaps/Adobe-Korea1-UCS2.bcmap" with { type: "file" };
import cB5_H from "pdfjs-dist/cmaps/B5-H.bcmap" with { type: "file" };
import cB5_V from "pdfjs-dist/cmaps/B5-V.bcmap" with { type: "file" };
import cB5pc_H from "pdfjs-dist/cmaps/B5pc-H.bcmap" with { type: "file" };
import cB5pc_V from "pdfjs-dist/cmaps/B5pc-V.bcmap" with { type: "file" };
import cCNS_EUC_H from "pdfjs-dist/cmaps/CNS-EUC-H.bcmap" with { type: "file" };
import cCNS_EUC_V from "pdfjs-dist/cmaps/CNS-EUC-V.bcmap" with { type: "file" };
import cCNS1_H from "pdfjs-dist/cmaps/CNS1-H.bcmap" with { type: "file" };
import cCNS1_V from "pdfjs-dist/cmaps/CNS1-V.bcmap" with { type: "file" };
import cCNS2_H from "pdfjs-dist/cmaps/CNS2-H.bcmap" with { type: "file" };
import cCNS2_V from "pdfjs-dist/cmaps/CNS2-V.bcmap" with { type: "file" };
import cETHK_B5_H from "pdfjs-dist/cmaps/ETHK-B5-H.bcmap" with { type: "file" };
import cETHK_B5_V from "pdfjs-dist/cmaps/ETHK-B5-V.bcmap" with { type: "file" };
import cETen_B5_H from "pdfjs-dist/cmaps/ETen-B5-H.bcmap" with { type: "file" };
import cETen_B5_V from "pdfjs-dist/cmaps/ETen-B5-V.bcmap" with { type: "file" };
import cETenms_B5_H from "pdfjs-dist/cmaps/ETenms-B5-H.bcmap" with { type: "file" };
import cETenms_B5_V from "pdfjs-dist/cmaps/ETenms-B5-V.bcmap" with { type: "file" };
import cEUC_H from "pdfjs-dist/cmaps/EUC-H.bcmap" with { type: "file" };
import cEUC_V from "pdfjs-dist/cmaps/EUC-V.bcmap" with { type: "file" };
import cExt_H from "pdfjs-dist/cmaps/Ext-H.bcmap" with { type: "file" };
import cExt_RKSJ_H from "pdfjs-dist/cmaps/Ext-RKSJ-H.bcmap" with { type: "file" };
import cExt_RKSJ_V from "pdfjs-dist/cmaps/Ext-RKSJ-V.bcmap" with { type: "file" };
import cExt_V from "pdfjs-dist/cmaps/Ext-V.bcmap" with { type: "file" };
import cGB_EUC_H from "pdfjs-dist/cmaps/GB-EUC-H.bcmap" with { type: "file" };
import cGB_EUC_V from "pdfjs-dist/cmaps/GB-EUC-V.bcmap" with { type: "file" };
import cGB_H from "pdfjs-dist/cmaps/GB-H.bcmap" with { type: "file" };
import cGB_V from "pdfjs-dist/cmaps/GB-V.bcmap" with { type: "file" };
import cGBK_EUC_H from "pdfjs-dist/cmaps/GBK-EUC-H.bcmap" with { type: "file" };
import cGBK_EUC_V from "pdfjs-dist/cmaps/GBK-EUC-V.bcmap" with { type: "file" };
import cGBK2K_H from "pdfjs-dist/cmaps/GBK2K-H.bcmap" with { type: "file" };
import cGBK2K_V from "pdfjs-dist/cmaps/GBK2K-V.bcmap" with { type: "file" };
import cGBKp_EUC_H from "pdfjs-dist/cmaps/GBKp-EUC-H.bcmap" with { type: "file" };
import cGBKp_EUC_V from "pdfjs-dist/cmaps/GBKp-EUC-V.bcmap" with { type: "file" };
import cGBT_EUC_H from "pdfjs-dist/cmaps/GBT-EUC-H.bcmap" with { type: "file" };
import cGBT_EUC_V from "pdfjs-dist/cmaps/GBT-EUC-V.bcmap" with { type: "file" };
import cGBT_H from "pdfjs-dist/cmaps/GBT-H.bcmap" with { type: "file" };
import cGBT_V from "pdfjs-dist/cmaps/GBT-V.bcmap" with { type: "file" };
import cGBTpc_EUC_H from "pdfjs-dist/cmaps/GBTpc-EUC-H.bcmap" with { type: "file" };
import cGBTpc_EUC_V from "pdfjs-dist/cmaps/GBTpc-EUC-V.bcmap" with { type: "file" };
import cGBpc_EUC_H from "pdfjs-dist/cmaps/GBpc-EUC-H.bcmap" with { type: "file" };
import cGBpc_EUC_V from "pdfjs-dist/cmaps/GBpc-EUC-V.bcmap" with { type: "file" };
import cH from "pdfjs-dist/cmaps/H.bcmap" with { type: "file" };
import cHKdla_B5_H from "pdfjs-dist/cmaps/HKdla-B5-H.bcmap" with { type: "file" };
import cHKdla_B5_V from "pdfjs-dist/cmaps/HKdla-B5-V.bcmap" with { type: "file" };
import cHKdlb_B5_H from "pdfjs-dist/cmaps/HKdlb-B5-H.bcmap" with { type: "file" };
import cHKdlb_B5_V from "pdfjs-dist/cmaps/HKdlb-B5-V.bcmap" with { type: "file" };
import cHKgccs_B5_H from "pdfjs-dist/cmaps/HKgccs-B5-H.bcmap" with { type: "file" };
import cHKgccs_B5_V from "pdfjs-dist/cmaps/HKgccs-B5-V.bcmap" with { type: "file" };
import cHKm314_B5_H from "pdfjs-dist/cmaps/HKm314-B5-H.bcmap" with { type: "file" };
import cHKm314_B5_V from "pdfjs-dist/cmaps/HKm314-B5-V.bcmap" with { type: "file" };
import cHKm471_B5_H from "pdfjs-dist/cmaps/HKm471-B5-H.bcmap" with { type: "file" };
import cHKm471_B5_V from "pdfjs-dist/cmaps/HKm471-B5-V.bcmap" with { type: "file" };
import cHKscs_B5_H from "pdfjs-dist/cmaps/HKscs-B5-H.bcmap" with { type: "file" };
import cHKscs_B5_V from "pdfjs-dist/cmaps/HKscs-B5-V.bcmap" with { type: "file" };
import cHankaku from "pdfjs-dist/cmaps/Hankaku.bcmap" with { type: "file" };
import cHiragana from "pdfjs-dist/cmaps/Hiragana.bcmap" with { type: "file" };
import cKSC_EUC_H from "pdfjs-dist/cmaps/KSC-EUC-H.bcmap" with { type: "file" };
import cKSC_EUC_V from "pdfjs-dist/cmaps/KSC-EUC-V.bcmap" with { type: "file" };
import cKSC_H from "pdfjs-dist/cmaps/KSC-H.bcmap" with { type: "file" };
import cKSC_Johab_H from "pdfjs-dist/cmaps/KSC-Johab-H.bcmap" with { type: "file" };
import cKSC_Johab_V from "pdfjs-dist/cmaps/KSC-Johab-V.bcmap" with { type: "file" };
import cKSC_V from "pdfjs-dist/cmaps/KSC-V.bcmap" with { type: "file" };
import cKSCms_UHC_H from "pdfjs-dist/cmaps/KSCms-UHC-H.bcmap" with { type: "file" };
import cKSCms_UHC_HW_H from "pdfjs-dist/cmaps/KSCms-UHC-HW-H.bcmap" with { type: "file" };
import cKSCms_UHC_HW_V from "pdfjs-dist/cmaps/KSCms-UHC-HW-V.bcmap" with { type: "file" };
import cKSCms_UHC_V from "pdfjs-dist/cmaps/KSCms-UHC-V.bcmap" with { type: "file" };
import cKSCpc_EUC_H from "pdfjs-dist/cmaps/KSCpc-EUC-H.bcmap" with { type: "file" };
import cKSCpc_EUC_V from "pdfjs-dist/cmaps/KSCpc-EUC-V.bcmap" with { type: "file" };
import cKatakana from "pdfjs-dist/cmaps/Katakana.bcmap" with { type: "file" };
import cNWP_H from "pdfjs-dist/cmaps/NWP-H.bcmap" with { type: "file" };
import cNWP_V from "pdfjs-dist/cmaps/NWP-V.bcmap" with { type: "file" };
import cRKSJ_H from "pdfjs-dist/cmaps/RKSJ-H.bcmap" with { type: "file" };
import cRKSJ_V from "pdfjs-dist/cmaps/RKSJ-V.bcmap" with { type: "file" };
import cRoman from "pdfjs-dist/cmaps/Roman.bcmap" with { type: "file" };
import cUniCNS_UCS2_H from "pdfjs-dist/cmaps/UniCNS-UCS2-H.bcmap" with { type: "file" };
import cUniCNS_UCS2_V from "pdfjs-dist/cmaps/UniCNS-UCS2-V.bcmap" with { type: "file" };
import cUniCNS_UTF16_H from "pdfjs-dist/cmaps/UniCNS-UTF16-H.bcmap" with { type: "file" };
import cUniCNS_UTF16_V from "pdfjs-dist/cmaps/UniCNS-UTF16-V.bcmap" with { type: "file" };
import cUniCNS_UTF32_H from "pdfjs-dist/cmaps/UniCNS-UTF32-H.bcmap" with { type: "file" };
import cUniCNS_UTF32_V from "pdfjs-dist/cmaps/UniCNS-UTF32-V.bcmap" with { type: "file" };
import cUniCNS_UTF8_H from "pdfjs-dist/cmaps/UniCNS-UTF8-H.bcmap" with { type: "file" };
import cUniCNS_UTF8_V from "pdfjs-dist/cmaps/UniCNS-UTF8-V.bcmap" with { type: "file" };
import cUniGB_UCS2_H from "pdfjs-dist/cmaps/UniGB-UCS2-H.bcmap" with { type: "file" };
import cUniGB_UCS2_V from "pdfjs-dist/cmaps/UniGB-UCS2-V.bcmap" with { type: "file" };
import cUniGB_UTF16_H from "pdfjs-dist/cmaps/UniGB-UTF16-H.bcmap" with { type: "file" };
import cUniGB_UTF16_V from "pdfjs-dist/cmaps/UniGB-UTF16-V.bcmap" with { type: "file" };
import cUniGB_UTF32_H from "pdfjs-dist/cmaps/UniGB-UTF32-H.bcmap" with { type: "file" };
import cUniGB_UTF32_V from "pdfjs-dist/cmaps/UniGB-UTF32-V.bcmap" with { type: "file" };
import cUniGB_UTF8_H from "pdfjs-dist/cmaps/UniGB-UTF8-H.bcmap" with { type: "file" };
import cUniGB_UTF8_V from "pdfjs-dist/cmaps/UniGB-UTF8-V.bcmap" with { type: "file" };
import cUniJIS_UCS2_H from "pdfjs-dist/cmaps/UniJIS-UCS2-H.bcmap" with { type: "file" };
import cUniJIS_UCS2_HW_H from "pdfjs-dist/cmaps/UniJIS-UCS2-HW-H.bcmap" with { type: "file" };
import cUniJIS_UCS2_HW_V from "pdfjs-dist/cmaps/UniJIS-UCS2-HW-V.bcmap" with { type: "file" };
import cUniJIS_UCS2_V from "pdfjs-dist/cmaps/UniJIS-UCS2-V.bcmap" with { type: "file" };
import cUniJIS_UTF16_H from "pdfjs-dist/cmaps/UniJIS-UTF16-H.bcmap" with { type: "file" };
import cUniJIS_UTF16_V from "pdfjs-dist/cmaps/UniJIS-UTF16-V.bcmap" with { type: "file" };
import cUniJIS_UTF32_H from "pdfjs-dist/cmaps/UniJIS-UTF32-H.bcmap" with { type: "file" };
import cUniJIS_UTF32_V from "pdfjs-dist/cmaps/UniJIS-UTF32-V.bcmap" with { type: "file" };
import cUniJIS_UTF8_H from "pdfjs-dist/cmaps/UniJIS-UTF8-H.bcmap" with { type: "file" };
import cUniJIS_UTF8_V from "pdfjs-dist/cmaps/UniJIS-UTF8-V.bcmap" with { type: "file" };
import cUniJIS2004_UTF16_H from "pdfjs-dist/cmaps/UniJIS2004-UTF16-H.bcmap" with { type: "file" };
import cUniJIS2004_UTF16_V from "pdfjs-dist/cmaps/UniJIS2004-UTF16-V.bcmap" with { type: "file" };
import cUniJIS2004_UTF32_H from "pdfjs-dist/cmaps/UniJIS2004-UTF32-H.bcmap" with { type: "file" };
import cUniJIS2004_UTF32_V from "pdfjs-dist/cmaps/UniJIS2004-UTF32-V.bcmap" with { type: "file" };
import cUniJIS2004_UTF8_H from "pdfjs-dist/cmaps/UniJIS2004-UTF8-H.bcmap" with { type: "file" };
import cUniJIS2004_UTF8_V from "pdfjs-dist/cmaps/UniJIS2004-UTF8-V.bcmap" with { type: "file" };
import cUniJISPro_UCS2_HW_V from "pdfjs-dist/cmaps/UniJISPro-UCS2-HW-V.bcmap" with { type: "file" };
import cUniJISPro_UCS2_V from "pdfjs-dist/cmaps/UniJISPro-UCS2-V.bcmap" with { type: "file" };
import cUniJISPro_UTF8_V from "pdfjs-dist/cmaps/UniJISPro-UTF8-V.bcmap" with { type: "file" };
import cUniJISX0213_UTF32_H from "pdfjs-dist/cmaps/UniJISX0213-UTF32-H.bcmap" with { type: "file" };
import cUniJISX0213_UTF32_V from "pdfjs-dist/cmaps/UniJISX0213-UTF32-V.bcmap" with { type: "file" };
import cUniJISX02132004_UTF32_H from "pdfjs-dist/cmaps/UniJISX02132004-UTF32-H.bcmap" with { type: "file" };
import cUniJISX02132004_UTF32_V from "pdfjs-dist/cmaps/UniJISX02132004-UTF32-V.bcmap" with { type: "file" };
import cUniKS_UCS2_H from "pdfjs-dist/cmaps/UniKS-UCS2-H.bcmap" with { type: "file" };
import cUniKS_UCS2_V from "pdfjs-dist/cmaps/UniKS-UCS2-V.bcmap" with { type: "file" };
import cUniKS_UTF16_H from "pdfjs-dist/cmaps/UniKS-UTF16-H.bcmap" with { type: "file" };
import cUniKS_UTF16_V from "pdfjs-dist/cmaps/UniKS-UTF16-V.bcmap" with { type: "file" };
import cUniKS_UTF32_H from "pdfjs-dist/cmaps/UniKS-UTF32-H.bcmap" with { type: "file" };
import cUniKS_UTF32_V from "pdfjs-dist/cmaps/UniKS-UTF32-V.bcmap" with { type: "file" };
import cUniKS_UTF8_H from "pdfjs-dist/cmaps/UniKS-UTF8-H.bcmap" with { type: "file" };
import cUniKS_UTF8_V from "pdfjs-dist/cmaps/UniKS-UTF8-V.bcmap" with { type: "file" };
import cV from "pdfjs-dist/cmaps/V.bcmap" with { type: "file" };
import cWP_Symbol from "pdfjs-dist/cmaps/WP-Symbol.bcmap" with { type: "file" };

const PATHS: Readonly<Record<string, string>> = {
  "78-EUC-H": c78_EUC_H,
  "78-EUC-V": c78_EUC_V,
  "78-H": c78_H,
  "78-RKSJ-H": c78_RKSJ_H,
  "78-RKSJ-V": c78_RKSJ_V,
  "78-V": c78_V,
  "78ms-RKSJ-H": c78ms_RKSJ_H,
  "78ms-RKSJ-V": c78ms_RKSJ_V,
  "83pv-RKSJ-H": c83pv_RKSJ_H,
  "90ms-RKSJ-H": c90ms_RKSJ_H,
  "90ms-RKSJ-V": c90ms_RKSJ_V,
  "90msp-RKSJ-H": c90msp_RKSJ_H,
  "90msp-RKSJ-V": c90msp_RKSJ_V,
  "90pv-RKSJ-H": c90pv_RKSJ_H,
  "90pv-RKSJ-V": c90pv_RKSJ_V,
  "Add-H": cAdd_H,
  "Add-RKSJ-H": cAdd_RKSJ_H,
  "Add-RKSJ-V": cAdd_RKSJ_V,
  "Add-V": cAdd_V,
  "Adobe-CNS1-0": cAdobe_CNS1_0,
  "Adobe-CNS1-1": cAdobe_CNS1_1,
  "Adobe-CNS1-2": cAdobe_CNS1_2,
  "Adobe-CNS1-3": cAdobe_CNS1_3,
  "Adobe-CNS1-4": cAdobe_CNS1_4,
  "Adobe-CNS1-5": cAdobe_CNS1_5,
  "Adobe-CNS1-6": cAdobe_CNS1_6,
  "Adobe-CNS1-UCS2": cAdobe_CNS1_UCS2,
  "Adobe-GB1-0": cAdobe_GB1_0,
  "Adobe-GB1-1": cAdobe_GB1_1,
  "Adobe-GB1-2": cAdobe_GB1_2,
  "Adobe-GB1-3": cAdobe_GB1_3,
  "Adobe-GB1-4": cAdobe_GB1_4,
  "Adobe-GB1-5": cAdobe_GB1_5,
  "Adobe-GB1-UCS2": cAdobe_GB1_UCS2,
  "Adobe-Japan1-0": cAdobe_Japan1_0,
  "Adobe-Japan1-1": cAdobe_Japan1_1,
  "Adobe-Japan1-2": cAdobe_Japan1_2,
  "Adobe-Japan1-3": cAdobe_Japan1_3,
  "Adobe-Japan1-4": cAdobe_Japan1_4,
  "Adobe-Japan1-5": cAdobe_Japan1_5,
  "Adobe-Japan1-6": cAdobe_Japan1_6,
  "Adobe-Japan1-UCS2": cAdobe_Japan1_UCS2,
  "Adobe-Korea1-0": cAdobe_Korea1_0,
  "Adobe-Korea1-1": cAdobe_Korea1_1,
  "Adobe-Korea1-2": cAdobe_Korea1_2,
  "Adobe-Korea1-UCS2": cAdobe_Korea1_UCS2,
  "B5-H": cB5_H,
  "B5-V": cB5_V,
  "B5pc-H": cB5pc_H,
  "B5pc-V": cB5pc_V,
  "CNS-EUC-H": cCNS_EUC_H,
  "CNS-EUC-V": cCNS_EUC_V,
  "CNS1-H": cCNS1_H,
  "CNS1-V": cCNS1_V,
  "CNS2-H": cCNS2_H,
  "CNS2-V": cCNS2_V,
  "ETHK-B5-H": cETHK_B5_H,
  "ETHK-B5-V": cETHK_B5_V,
  "ETen-B5-H": cETen_B5_H,
  "ETen-B5-V": cETen_B5_V,
  "ETenms-B5-H": cETenms_B5_H,
  "ETenms-B5-V": cETenms_B5_V,
  "EUC-H": cEUC_H,
  "EUC-V": cEUC_V,
  "Ext-H": cExt_H,
  "Ext-RKSJ-H": cExt_RKSJ_H,
  "Ext-RKSJ-V": cExt_RKSJ_V,
  "Ext-V": cExt_V,
  "GB-EUC-H": cGB_EUC_H,
  "GB-EUC-V": cGB_EUC_V,
  "GB-H": cGB_H,
  "GB-V": cGB_V,
  "GBK-EUC-H": cGBK_EUC_H,
  "GBK-EUC-V": cGBK_EUC_V,
  "GBK2K-H": cGBK2K_H,
  "GBK2K-V": cGBK2K_V,
  "GBKp-EUC-H": cGBKp_EUC_H,
  "GBKp-EUC-V": cGBKp_EUC_V,
  "GBT-EUC-H": cGBT_EUC_H,
  "GBT-EUC-V": cGBT_EUC_V,
  "GBT-H": cGBT_H,
  "GBT-V": cGBT_V,
  "GBTpc-EUC-H": cGBTpc_EUC_H,
  "GBTpc-EUC-V": cGBTpc_EUC_V,
  "GBpc-EUC-H": cGBpc_EUC_H,
  "GBpc-EUC-V": cGBpc_EUC_V,
  H: cH,
  "HKdla-B5-H": cHKdla_B5_H,
  "HKdla-B5-V": cHKdla_B5_V,
  "HKdlb-B5-H": cHKdlb_B5_H,
  "HKdlb-B5-V": cHKdlb_B5_V,
  "HKgccs-B5-H": cHKgccs_B5_H,
  "HKgccs-B5-V": cHKgccs_B5_V,
  "HKm314-B5-H": cHKm314_B5_H,
  "HKm314-B5-V": cHKm314_B5_V,
  "HKm471-B5-H": cHKm471_B5_H,
  "HKm471-B5-V": cHKm471_B5_V,
  "HKscs-B5-H": cHKscs_B5_H,
  "HKscs-B5-V": cHKscs_B5_V,
  Hankaku: cHankaku,
  Hiragana: cHiragana,
  "KSC-EUC-H": cKSC_EUC_H,
  "KSC-EUC-V": cKSC_EUC_V,
  "KSC-H": cKSC_H,
  "KSC-Johab-H": cKSC_Johab_H,
  "KSC-Johab-V": cKSC_Johab_V,
  "KSC-V": cKSC_V,
  "KSCms-UHC-H": cKSCms_UHC_H,
  "KSCms-UHC-HW-H": cKSCms_UHC_HW_H,
  "KSCms-UHC-HW-V": cKSCms_UHC_HW_V,
  "KSCms-UHC-V": cKSCms_UHC_V,
  "KSCpc-EUC-H": cKSCpc_EUC_H,
  "KSCpc-EUC-V": cKSCpc_EUC_V,
  Katakana: cKatakana,
  "NWP-H": cNWP_H,
  "NWP-V": cNWP_V,
  "RKSJ-H": cRKSJ_H,
  "RKSJ-V": cRKSJ_V,
  Roman: cRoman,
  "UniCNS-UCS2-H": cUniCNS_UCS2_H,
  "UniCNS-UCS2-V": cUniCNS_UCS2_V,
  "UniCNS-UTF16-H": cUniCNS_UTF16_H,
  "UniCNS-UTF16-V": cUniCNS_UTF16_V,
  "UniCNS-UTF32-H": cUniCNS_UTF32_H,
  "UniCNS-UTF32-V": cUniCNS_UTF32_V,
  "UniCNS-UTF8-H": cUniCNS_UTF8_H,
  "UniCNS-UTF8-V": cUniCNS_UTF8_V,
  "UniGB-UCS2-H": cUniGB_UCS2_H,
  "UniGB-UCS2-V": cUniGB_UCS2_V,
  "UniGB-UTF16-H": cUniGB_UTF16_H,
  "UniGB-UTF16-V": cUniGB_UTF16_V,
  "UniGB-UTF32-H": cUniGB_UTF32_H,
  "UniGB-UTF32-V": cUniGB_UTF32_V,
  "UniGB-UTF8-H": cUniGB_UTF8_H,
  "UniGB-UTF8-V": cUniGB_UTF8_V,
  "UniJIS-UCS2-H": cUniJIS_UCS2_H,
  "UniJIS-UCS2-HW-H": cUniJIS_UCS2_HW_H,
  "UniJIS-UCS2-HW-V": cUniJIS_UCS2_HW_V,
  "UniJIS-UCS2-V": cUniJIS_UCS2_V,
  "UniJIS-UTF16-H": cUniJIS_UTF16_H,
  "UniJIS-UTF16-V": cUniJIS_UTF16_V,
  "UniJIS-UTF32-H": cUniJIS_UTF32_H,
  "UniJIS-UTF32-V": cUniJIS_UTF32_V,
  "UniJIS-UTF8-H": cUniJIS_UTF8_H,
  "UniJIS-UTF8-V": cUniJIS_UTF8_V,
  "UniJIS2004-UTF16-H": cUniJIS2004_UTF16_H,
  "UniJIS2004-UTF16-V": cUniJIS2004_UTF16_V,
  "UniJIS2004-UTF32-H": cUniJIS2004_UTF32_H,
  "UniJIS2004-UTF32-V": cUniJIS2004_UTF32_V,
  "UniJIS2004-UTF8-H": cUniJIS2004_UTF8_H,
  "UniJIS2004-UTF8-V": cUniJIS2004_UTF8_V,
  "UniJISPro-UCS2-HW-V": cUniJISPro_UCS2_HW_V,
  "UniJISPro-UCS2-V": cUniJISPro_UCS2_V,
  "UniJISPro-UTF8-V": cUniJISPro_UTF8_V,
  "UniJISX0213-UTF32-H": cUniJISX0213_UTF32_H,
  "UniJISX0213-UTF32-V": cUniJISX0213_UTF32_V,
  "UniJISX02132004-UTF32-H": cUniJISX02132004_UTF32_H,
  "UniJISX02132004-UTF32-V": cUniJISX02132004_UTF32_V,
  "UniKS-UCS2-H": cUniKS_UCS2_H,
  "UniKS-UCS2-V": cUniKS_UCS2_V,
  "UniKS-UTF16-H": cUniKS_UTF16_H,
  "UniKS-UTF16-V": cUniKS_UTF16_V,
  "UniKS-UTF32-H": cUniKS_UTF32_H,
  "UniKS-UTF32-V": cUniKS_UTF32_V,
  "UniKS-UTF8-H": cUniKS_UTF8_H,
  "UniKS-UTF8-V": cUniKS_UTF8_V,
  V: cV,
  "WP-Symbol": cWP_Symbol,
};

/** Bytes of a character map by its name ("UniJIS-UCS2-H", with or without ".bcmap"), or null. */
export async function readCharacterMap(name: string): Promise<Uint8Array | null> {
  const path = PATHS[name.replace(/\.bcmap$/, "")];
  return path === undefined ? null : await Bun.file(path).bytes();
}
