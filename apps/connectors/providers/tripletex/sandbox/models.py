"""What the vendor's objects are made of: names as in its OpenAPI document (API 2.74.00), none invented.

`name` is a plain value, `name:Model` a reference, `name:[Model]` a list of them, `name:$` an amount in hundredths.
"""

from dataclasses import dataclass
from typing import Any

_SPEC = {
    "Voucher": """
        id version changes:[Change] url date number tempNumber year description voucherType:VoucherType
        reverseVoucher:Voucher postings:[Posting] document:Document attachment:Document externalVoucherNumber
        ediDocument:Document supplierVoucherType wasAutoMatched vendorInvoiceNumber displayName numberAsString
    """,
    "Posting": """
        id version changes:[Change] url voucher:Voucher date description account:Account
        amortizationAccount:Account amortizationStartDate amortizationEndDate customer:Customer
        supplier:Supplier employee:Employee project:Project product:Product department:Department
        vatType:VatType amount:$ amountCurrency:$ amountGross:$ amountGrossCurrency:$ currency:Currency
        closeGroup:CloseGroup invoiceNumber termOfPayment row type externalRef systemGenerated
        taxTransactionType taxTransactionTypeId matched quantityAmount1 quantityType1:ProductUnit
        quantityAmount2 quantityType2:ProductUnit isVatReadonly isAmountVatClosed postingRuleId
        freeAccountingDimension1:AccountingDimensionValue freeAccountingDimension2:AccountingDimensionValue
        freeAccountingDimension3:AccountingDimensionValue asset:Asset
    """,
    "Account": """
        id version changes:[Change] url number numberPretty name description type legalVatTypes:[VatType]
        ledgerType balanceGroup vatType:VatType vatLocked currency:Currency isCloseable
        isApplicableForSupplierInvoice requireReconciliation isInactive isBankAccount isInvoiceAccount
        bankAccountNumber bankAccountCountry:Country bankName bankAccountIBAN bankAccountSWIFT saftCode
        groupingCode displayName requiresDepartment requiresProject invoicingDepartment:Department
        isPostingsExist quantityType1:ProductUnit quantityType2:ProductUnit department:Department
    """,
    "VatType": """
        id version changes:[Change] url name number displayName percentage deductionPercentage
        parentType:VatType
    """,
    "VoucherType": """
        id version changes:[Change] url name displayName
    """,
    "Customer": """
        id version changes:[Change] url name organizationNumber globalLocationNumber supplierNumber
        customerNumber isSupplier isCustomer isInactive accountManager:Employee department:Department email
        invoiceEmail overdueNoticeEmail bankAccounts:[] phoneNumber phoneNumberMobile description language
        displayName isPrivateIndividual singleCustomerInvoice invoiceSendMethod emailAttachmentType
        postalAddress:Address physicalAddress:Address deliveryAddress:DeliveryAddress
        category1:CustomerCategory category2:CustomerCategory category3:CustomerCategory invoicesDueIn
        invoicesDueInType currency:Currency bankAccountPresentation:[CompanyBankAccountPresentation]
        ledgerAccount:Account isFactoring invoiceSendSMSNotification invoiceSMSNotificationNumber
        isAutomaticSoftReminderEnabled isAutomaticReminderEnabled isAutomaticNoticeOfDebtCollectionEnabled
        discountPercentage website
    """,
    "Supplier": """
        id version changes:[Change] url name organizationNumber supplierNumber customerNumber isSupplier
        isCustomer isInactive email bankAccounts:[] invoiceEmail overdueNoticeEmail phoneNumber
        phoneNumberMobile description isPrivateIndividual showProducts accountManager:Employee
        postalAddress:Address physicalAddress:Address deliveryAddress:DeliveryAddress
        category1:CustomerCategory category2:CustomerCategory category3:CustomerCategory
        bankAccountPresentation:[CompanyBankAccountPresentation] currency:Currency ledgerAccount:Account
        language isWholesaler displayName locale website
    """,
    "Department": """
        id version changes:[Change] url name departmentNumber departmentManager:Employee displayName
        isInactive businessActivityTypeId
    """,
    "Project": """
        id version changes:[Change] url name number displayName description projectManager:Employee
        department:Department mainProject:Project startDate endDate customer:Customer isClosed
        isReadyForInvoicing isInternal isOffer isFixedPrice projectCategory:ProjectCategory
        deliveryAddress:Address boligmappaAddress:Address displayNameFormat reference externalAccountsNumber
        discountPercentage vatType:VatType fixedprice contributionMarginPercent numberOfSubProjects
        numberOfProjectParticipants orderLines:[ProjectOrderLine] currency:Currency markUpOrderLines
        markUpFeesEarned isPriceCeiling priceCeilingAmount projectHourlyRates:[ProjectHourlyRate]
        forParticipantsOnly participants:[ProjectParticipant] contact:Contact attention:Contact invoiceComment
        invoicingPlan:[Invoice] preliminaryInvoice:Invoice generalProjectActivitiesPerProjectOnly
        projectActivities:[ProjectActivity] hierarchyNameAndNumber invoiceDueDate invoiceDueDateType
        invoiceReceiverEmail overdueNoticeEmail accessType useProductNetPrice
        ignoreCompanyProductDiscountAgreement customerName hierarchyLevel projectManagerNameAndNumber
        totalInvoicedOnAccountAmountAbsoluteCurrency invoiceOnAccountVatHigh invoiceReserveTotalAmountCurrency
        accountingDimensionValues:[AccountingDimensionValue]
    """,
    "Currency": """
        id version changes:[Change] url code description factor displayName isDisabled
    """,
    "Company": """
        id version changes:[Change] url name displayName startDate endDate organizationNumber email
        phoneNumber phoneNumberMobile faxNumber address:Address type currency:Currency accountantOrSimilar
        companyMigration invoiceShowDeliveryDate
    """,
    "Client": """
        id version changes:[Change] url name displayName startDate endDate organizationNumber email
        phoneNumber phoneNumberMobile faxNumber address:Address type currency:Currency accountantOrSimilar
        companyMigration invoiceShowDeliveryDate customerCompanyId
    """,
    "SalesModule": """
        name costStartDate
    """,
    "AccountingPeriod": """
        id version changes:[Change] url name number start end isClosed checkLedgerLogEmployeeName
        checkLedgerLogEmployeePictureId checkLedgerLogTime checkWageLogEmployeeName
        checkWageLogEmployeePictureId checkWageLogTime
    """,
    "AnnualAccount": """
        id version changes:[Change] url year start end
    """,
    "BalanceSheetAccount": """
        account:Account balanceIn:$ balanceChange:$ balanceOut:$ startDate endDate
    """,
    "LedgerAccount": """
        account:Account sumAmount:$ currency:Currency sumAmountCurrency:$ openingBalance:$
        openingBalanceCurrency:$ closingBalance:$ closingBalanceCurrency:$ balanceOutInAccountCurrency:$
        postings:[Posting]
    """,
    "LoggedInUserInfo": """
        employeeId actualEmployeeId employee:Employee companyId company:Company language loggedInWithConnect
        employeeIsProxy
    """,
    "SessionToken": """
        id version changes:[Change] url consumerToken:ConsumerToken employeeToken:EmployeeToken expirationDate
        token encryptionKey
    """,
    "ConsumerToken": """
        id version changes:[Change] url apiConsumer:ApiConsumer token expirationDate
    """,
    "EmployeeToken": """
        id version changes:[Change] url employee:Employee apiConsumer:ApiConsumer token expirationDate
    """,
    "ApiConsumer": """
        id version changes:[Change] url consumerName emails
    """,
    "Employee": """
        id version changes:[Change] url firstName lastName displayName employeeNumber dateOfBirth email
        phoneNumberMobileCountry:Country phoneNumberMobile phoneNumberHome phoneNumberWork
        nationalIdentityNumber dnumber internationalId:InternationalId bankAccountNumber iban bic
        creditorBankCountryId usesAbroadPayment userType allowInformationRegistration isContact isProxy
        comments address:Address department:Department employments:[Employment]
        holidayAllowanceEarned:HolidayAllowanceEarned employeeCategory:EmployeeCategory
        isAuthProjectOverviewURL pictureId companyId vismaConnect2FAactive
    """,
    "Change": """
        employeeId timestamp changeType
    """,
    "CloseGroup": """
        id version changes:[Change] url date postings:[Posting]
    """,
    "Country": """
        id version changes:[Change] url name displayName isoAlpha2Code isoAlpha3Code isoNumericCode
    """,
    "Address": """
        id version changes:[Change] url addressLine1 addressLine2 postalCode city country:Country displayName
        addressAsString displayNameInklMatrikkel knr gnr bnr fnr snr unitNumber
    """,
    "AccountingDimensionValue": """
        id version changes:[Change] url displayName nameAndNumber dimensionIndex active number
        showInVoucherRegistration position
    """,
    "AccountingDimensionName": """
        id version changes:[Change] url dimensionName description dimensionIndex active
    """,
}

# Where an object of the model is found; models that are not here have neither id nor url of their own.
PATHS = {
    "Voucher": "ledger/voucher",
    "Posting": "ledger/posting",
    "Account": "ledger/account",
    "VatType": "ledger/vatType",
    "VoucherType": "ledger/voucherType",
    "Customer": "customer",
    "Supplier": "supplier",
    "Department": "department",
    "Project": "project",
    "Currency": "currency",
    "Company": "company",
    "Client": "company",
    "AccountingPeriod": "ledger/accountingPeriod",
    "AnnualAccount": "ledger/annualAccount",
    "SessionToken": "token/session",
    "ConsumerToken": "token/consumer",
    "EmployeeToken": "token/employee",
    "Employee": "employee",
    "Country": "country",
    "Address": "address",
    "AccountingDimensionValue": "ledger/accountingDimensionValue",
    "AccountingDimensionName": "ledger/accountingDimensionName",
}

# In the document, but not in the recorded answers unless asked for by name.
BY_NAME_ONLY = {"Voucher": {"displayName"}, "Customer": {"bankAccounts"}, "Supplier": {"bankAccounts"}}

# What a property holds when a row says nothing about it; everything else is null.
DEFAULTS: dict[str, dict[str, Any]] = {
    "Voucher": {"tempNumber": 0, "externalVoucherNumber": "", "wasAutoMatched": False, "description": ""},
    "Posting": {
        "description": "",
        "invoiceNumber": "",
        "externalRef": "",
        "systemGenerated": False,
        "taxTransactionType": "(Ikke valgt)",
        "taxTransactionTypeId": 0,
        "matched": False,
        "quantityAmount1": 0,
        "quantityAmount2": 0,
        "isVatReadonly": False,
        "isAmountVatClosed": False,
        "postingRuleId": 0,
        "vatType": 0,
        "currency": 1,
    },
    "Account": {
        "description": "",
        "ledgerType": "GENERAL",
        "balanceGroup": "Ikke i en saldogruppe.",
        "vatType": 0,
        "legalVatTypes": [0],
        "vatLocked": False,
        "currency": 1,
        "isCloseable": False,
        "isApplicableForSupplierInvoice": False,
        "requireReconciliation": False,
        "isInactive": False,
        "isBankAccount": False,
        "isInvoiceAccount": False,
        "bankAccountNumber": "",
        "bankAccountCountry": 161,
        "bankName": "",
        "bankAccountIBAN": "",
        "bankAccountSWIFT": "",
        "requiresDepartment": False,
        "requiresProject": False,
        "isPostingsExist": False,
    },
    "Customer": {
        "organizationNumber": "",
        "globalLocationNumber": 0,
        "supplierNumber": 0,
        "customerNumber": 0,
        "isSupplier": False,
        "isCustomer": True,
        "isInactive": False,
        "email": "",
        "invoiceEmail": "",
        "overdueNoticeEmail": "",
        "phoneNumber": "",
        "phoneNumberMobile": "",
        "description": "",
        "language": "NO",
        "isPrivateIndividual": False,
        "singleCustomerInvoice": False,
        "invoiceSendMethod": "EMAIL",
        "emailAttachmentType": "ATTACHMENT",
        "invoicesDueIn": 14,
        "invoicesDueInType": "DAYS",
        "currency": 1,
        "isFactoring": False,
        "invoiceSendSMSNotification": False,
        "invoiceSMSNotificationNumber": "",
        "isAutomaticSoftReminderEnabled": False,
        "isAutomaticReminderEnabled": False,
        "isAutomaticNoticeOfDebtCollectionEnabled": False,
        "discountPercentage": 0,
        "website": "",
    },
    "Supplier": {
        "organizationNumber": "",
        "supplierNumber": 0,
        "customerNumber": 0,
        "isSupplier": True,
        "isCustomer": False,
        "isInactive": False,
        "email": "",
        "invoiceEmail": "",
        "overdueNoticeEmail": "",
        "phoneNumber": "",
        "phoneNumberMobile": "",
        "description": "",
        "isPrivateIndividual": False,
        "showProducts": False,
        "currency": 1,
        "language": "NO",
        "isWholesaler": False,
        "locale": "",
        "website": "",
    },
    "Department": {"isInactive": False, "businessActivityTypeId": 0},
    "Project": {"isClosed": False, "isInternal": True, "isOffer": False, "isFixedPrice": False, "currency": 1},
    "Currency": {"isDisabled": False},
    "Company": {"currency": 1, "type": "AS", "accountantOrSimilar": False, "companyMigration": "NONE", "email": ""},
    "Client": {"currency": 1, "type": "AS", "accountantOrSimilar": False, "companyMigration": "NONE", "email": ""},
    "VatType": {"deductionPercentage": 100, "parentType": 0},
}


@dataclass(frozen=True, slots=True)
class Prop:
    """One property: `kind` is plain, money, ref or list; `model` what it refers to, "" where it is not told here."""

    name: str
    kind: str
    model: str = ""


def _prop(word: str) -> Prop:
    name, _, target = word.partition(":")
    if not target:
        return Prop(name, "plain")
    if target == "$":
        return Prop(name, "money")
    if target.startswith("["):
        return Prop(name, "list", target.strip("[]"))
    return Prop(name, "ref", target)


MODELS: dict[str, dict[str, Prop]] = {
    model: {prop.name: prop for prop in map(_prop, words.split())} for model, words in _SPEC.items()
}
